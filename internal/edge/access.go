package edge

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"
)

// Access is the class of a route: what a caller gains by it. The zero Access is invalid.
type Access uint8

// The access classes, from the lowest.
const (
	_      Access = iota
	Public        // alive or not, and what everybody may know
	Read          // looks, changes nothing
	Write         // changes something
	nobody        // above every class: no route needs a token
)

// String returns the name of the class, as the OpenAPI document has it.
func (a Access) String() string {
	switch a {
	case Public:
		return "public"
	case Read:
		return "read"
	case Write:
		return "write"
	}
	return "invalid"
}

// lowestWithToken returns the lowest class that needs a token.
func lowestWithToken(requireToken string) Access {
	switch requireToken {
	case "read":
		return Read
	case "write":
		return Write
	case "never":
		return nobody
	}
	panic("edge: RequireToken is " + requireToken + ", not read, write or never")
}

// admit decides whether a request may go on to a route, and whether its caller is trusted.
// A wrong token is refused also where none is needed, so that nobody wonders why the
// answer holds less than expected; but public routes do not look at it, and where no token
// is ever needed a client may carry one for another daemon.
func (a *API) admit(access Access, r *http.Request) (trusted bool, refused *Problem) {
	given := bearer(r.Header.Get("Authorization"))
	trusted = sameToken(given, a.token())
	switch {
	case trusted, access == Public, a.needs == nobody:
		return trusted, nil
	case given != "":
		return false, a.unauthenticated(r, "with this token", `Bearer error="invalid_token"`)
	case access >= a.needs:
		return false, a.unauthenticated(r, "without the token", "Bearer")
	}
	return false, nil
}

func (a *API) unauthenticated(r *http.Request, how, challenge string) *Problem {
	where := ""
	if a.tokenAt != "" {
		where = "; it is found in " + a.tokenAt
	}
	p := refusal(http.StatusUnauthorized, "unauthenticated",
		`cannot %s %s %s: send the daemon's token as "Authorization: Bearer <token>"%s`, r.Method, r.URL.Path, how, where)
	p.header = http.Header{"Www-Authenticate": {challenge}}
	return p
}

// bearer returns the token of an Authorization header, "" when it holds none.
func bearer(header string) string {
	scheme, token, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}

// sameToken compares in a time that tells nothing about the token, its length neither.
func sameToken(given, token string) bool {
	g, t := sha256.Sum256([]byte(given)), sha256.Sum256([]byte(token))
	return token != "" && subtle.ConstantTimeCompare(g[:], t[:]) == 1
}

type trustKey struct{}

func withTrust(ctx context.Context, trusted bool) context.Context {
	return context.WithValue(ctx, trustKey{}, trusted)
}

// Trusted tells whether the caller of the request that ctx belongs to presented the token.
// Others are not shown the values of env.
func Trusted(ctx context.Context) bool {
	trusted, _ := ctx.Value(trustKey{}).(bool)
	return trusted
}
