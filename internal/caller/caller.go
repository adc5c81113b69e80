// Package caller carries who asks for something from the edge, where that is known, to the
// history, where it is written down. What it carries is for people: no decision goes by it,
// and it never holds a secret. It starts no goroutine.
package caller

import "context"

type key struct{}

// With returns a context whose work is asked for by who, in words: "root (uid 0) using
// nodee/1.2 from 127.0.0.1, with the token".
func With(ctx context.Context, who string) context.Context {
	return context.WithValue(ctx, key{}, who)
}

// Of returns who asks for the work of ctx; "" where nobody has said.
func Of(ctx context.Context) string {
	who, _ := ctx.Value(key{}).(string)
	return who
}
