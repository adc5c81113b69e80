package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

// Problem is a daemon's word that it refuses or fails. fault.KindOf and fault.SlugOf know
// its kind and its slug.
type Problem struct {
	api.Problem
	Raw []byte // as it came
}

// kinds says what an answer's status means.
var kinds = map[int]fault.Kind{
	http.StatusBadRequest:            fault.Malformed,
	http.StatusUnauthorized:          fault.Unauthenticated,
	http.StatusForbidden:             fault.Forbidden,
	http.StatusNotFound:              fault.NotFound,
	http.StatusConflict:              fault.Conflict,
	http.StatusPreconditionFailed:    fault.Stale,
	http.StatusRequestEntityTooLarge: fault.TooLarge,
	http.StatusUnprocessableEntity:   fault.Invalid,
	http.StatusNotImplemented:        fault.Unsupported,
	http.StatusBadGateway:            fault.Upstream,
	http.StatusServiceUnavailable:    fault.Unavailable,
	http.StatusGatewayTimeout:        fault.Timeout,
	http.StatusInsufficientStorage:   fault.Full,
}

func (c *Client) problem(res *http.Response, raw []byte) error {
	p := &Problem{Raw: raw}
	if err := json.Unmarshal(raw, &p.Problem); err != nil || p.Detail == "" {
		return &Foreign{Addr: c.base, Status: res.StatusCode, Media: problemMedia}
	}
	p.Status = res.StatusCode
	return p
}

// Error returns the detail, and behind it the faults that it does not mention.
func (p *Problem) Error() string {
	text, mark := p.Detail, ": "
	for _, f := range p.Errors {
		if !strings.Contains(p.Detail, f.Message) {
			text += mark + f.Location + ": " + f.Message
			mark = "; "
		}
	}
	return text
}

// Slug returns the last word of the type, such as "digest-mismatch".
func (p *Problem) Slug() string { return p.Type[strings.LastIndexByte(p.Type, '/')+1:] }

// Unwrap returns the fault that the problem tells of.
func (p *Problem) Unwrap() error { return fault.New(kinds[p.Status], p.Slug(), "%s", p.Detail) }

// Unreachable says that no daemon could be asked, or that it was cut off before it had
// answered.
type Unreachable struct {
	Addr string
	Cut  bool   // it was there; what became of the request is not known
	Hint string // what to look at
	Err  error
}

// Error says what can be done about it.
func (u *Unreachable) Error() string {
	if u.Cut {
		return fmt.Sprintf("cannot hear the answer of %s to its end: %s; see there what became of the request", u.Addr, u.Reason())
	}
	return fmt.Sprintf("cannot reach %s: %s; %s", u.Addr, u.Reason(), u.Hint)
}

// Reason says in a few words what is wrong with the connection.
func (u *Unreachable) Reason() string { return reason(u.Err) }

// Unwrap returns what went wrong.
func (u *Unreachable) Unwrap() error { return u.Err }

// unreachable explains why a request has no answer. One that the caller has given up is not
// the daemon's fault.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("cannot wait for the answer of %s: %w", c.base, context.Cause(ctx))
	}
	cut := false
	if op, ok := errors.AsType[*net.OpError](err); !ok || op.Op != "dial" {
		cut = brokeOff(err)
	}
	return &Unreachable{Addr: c.base, Cut: cut, Hint: c.hint, Err: err}
}

// brokeOff tells whether a connection was there and ended.
func brokeOff(err error) bool {
	for _, end := range []error{io.EOF, io.ErrUnexpectedEOF, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, end) {
			return true
		}
	}
	return false
}

// cutOff explains why an answer that had begun has no end.
func (c *Client) cutOff(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("cannot wait for the answer of %s: %w", c.base, context.Cause(ctx))
	}
	return &Unreachable{Addr: c.base, Cut: true, Hint: c.hint, Err: err}
}

// reason says in a few words what is wrong with a connection.
func reason(err error) string {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the method and the URL
	}
	if errno, ok := errors.AsType[syscall.Errno](err); ok {
		return errno.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok && dns.IsNotFound {
		return "there is no host " + dns.Name
	}
	if timeout, ok := errors.AsType[net.Error](err); ok && timeout.Timeout() {
		return "nothing answers there"
	}
	if brokeOff(err) {
		return "the connection broke off"
	}
	return err.Error()
}

// Foreign says that what answers is no daemon of Nodee.
type Foreign struct {
	Addr   string
	Status int
	Media  string // the media type of the answer
}

// Error says what it is instead, as far as that can be seen.
func (f *Foreign) Error() string {
	media := f.Media
	if media == "" {
		media = "of no type"
	}
	ask := "is that the right address?"
	if f.Status == http.StatusBadRequest && f.Media == "" && strings.HasPrefix(f.Addr, "http:") {
		ask = "does it want https?" // what a server in Go says then has no type
	}
	return fmt.Sprintf("cannot use the answer of %s: it is %d %s, %s, which no daemon of Nodee sends; %s",
		f.Addr, f.Status, http.StatusText(f.Status), media, ask)
}
