package edge

import (
	"bytes"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// MaxBody is how many bytes the body of a request may have.
	MaxBody = 1 << 20

	bodyTimeout = 30 * time.Second // how long a caller may take to send it
	drainLimit  = 16 << 20         // how much of one that is too large is read and thrown away
)

// limitBody sets the time that a body has to arrive. Requests that are refused need it too:
// before such an answer is sent, net/http reads what is left of a small body.
func (a *API) limitBody(ans *answer, r *http.Request) {
	if hasBody(r) {
		_ = ans.control.SetReadDeadline(time.Now().Add(a.bodyTimeout)) // not every writer can
	}
}

func hasBody(r *http.Request) bool { return r.Body != nil && r.Body != http.NoBody }

// takeBody reads the body whole and gives it back to r, so that every route, whatever its
// handler reads, has the same limit, the same deadline and the same refusals. The deadline
// is taken off again: left on, as huma leaves its own, it would cancel a request that waits.
func (a *API) takeBody(ans *answer, r *http.Request, types []string) *Problem {
	if !hasBody(r) {
		return nil
	}
	if r.ContentLength > MaxBody {
		return tooLarge(ans, r)
	}
	body, err := io.ReadAll(io.LimitReader(r.Body, MaxBody+1))
	_ = ans.control.SetReadDeadline(time.Time{})
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		ans.Header().Set("Connection", "close")
		return refusal(http.StatusRequestTimeout, "body-timeout",
			"cannot %s %s: the body did not arrive within %s", r.Method, r.URL.Path, a.bodyTimeout)
	case err != nil:
		ans.Header().Set("Connection", "close")
		return refusal(http.StatusBadRequest, "body-unreadable", "cannot %s %s: the body broke off: %v", r.Method, r.URL.Path, err)
	case len(body) > MaxBody:
		return tooLarge(ans, r)
	}
	media, ok := mediaType(r.Header.Get("Content-Type"), types)
	if !ok && len(body) > 0 {
		return refusal(http.StatusUnsupportedMediaType, "unsupported-media-type",
			"cannot %s %s: a body of the type %q is not read here: send Content-Type: %s",
			r.Method, r.URL.Path, r.Header.Get("Content-Type"), strings.Join(types, " or "))
	}
	if media != "" {
		r.Header.Set("Content-Type", media) // huma goes by the letter
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	r.ContentLength = int64(len(body))
	return nil
}

// tooLarge refuses a body. A client that sends it without waiting to be told reads the
// answer only when it is through, so some of the body is read and thrown away.
func tooLarge(ans *answer, r *http.Request) *Problem {
	ans.Header().Set("Connection", "close")
	if r.Header.Get("Expect") == "" {
		_ = ans.control.SetReadDeadline(time.Now().Add(5 * time.Second))
		_, _ = io.CopyN(io.Discard, r.Body, drainLimit)
	}
	return refusal(http.StatusRequestEntityTooLarge, "body-too-large",
		"cannot %s %s: a body has at most %d bytes", r.Method, r.URL.Path, MaxBody)
}

// unsaid is what curl -d and others send where nobody has said what a body is.
const unsaid = "application/x-www-form-urlencoded"

// mediaType returns the media type in a Content-Type, and whether it is one of types. None
// given is taken for the first of them; routes that take no body do not look at it.
func mediaType(contentType string, types []string) (string, bool) {
	if len(types) == 0 {
		return "", true
	}
	media, _, err := mime.ParseMediaType(contentType)
	if contentType == "" || media == unsaid {
		return types[0], true
	}
	return media, err == nil && slices.Contains(types, media)
}

// bodyTypes returns the media types that an operation reads.
func bodyTypes(op *huma.Operation) []string {
	if op.RequestBody == nil {
		return nil
	}
	return slices.Sorted(maps.Keys(op.RequestBody.Content))
}
