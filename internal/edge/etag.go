package edge

import (
	"context"
	"net/http"
	"strings"
)

// Known is embedded in the input of a list: which version of it the caller knows.
type Known struct {
	IfNoneMatch string `header:"If-None-Match" doc:"The ETag of an earlier answer: 304 when nothing has changed"`
}

// List is the output of a list: its content, or the word that it is still the known one.
type List[T any] struct {
	Status int
	ETag   string `header:"ETag"`
	Body   T
}

// Unless answers 304 when known is the list's version, and else what build returns, which
// is not called before that is clear. Read the version before the state.
func Unless[T any](ctx context.Context, known Known, version string, build func() (T, error)) (*List[T], error) {
	if Trusted(ctx) { // is shown more than others: not the same answer
		version += "-t"
	}
	out := &List[T]{Status: http.StatusOK, ETag: `W/"` + version + `"`}
	if matches(known.IfNoneMatch, version) {
		out.Status = http.StatusNotModified
		return out, nil
	}
	var err error
	out.Body, err = build()
	return out, err
}

// matches tells whether an If-None-Match header holds a version, by the weak comparison.
func matches(header, version string) bool {
	for tag := range strings.SplitSeq(header, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" || strings.TrimPrefix(tag, "W/") == `"`+version+`"` {
			return true
		}
	}
	return false
}
