// Package httpget gets files over HTTP: with patience that is bounded, some tries, and an eye on
// where redirects lead. It starts no goroutine of its own but those of net/http, which end with
// the request or at Close.
package httpget

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const (
	tries         = 3
	firstWait     = 500 * time.Millisecond
	maxRetryAfter = 30 * time.Second // who asks for more patience than that has failed for now
	maxRedirects  = 10
)

// ErrAbsent says that the server answered and does not have the file.
var ErrAbsent = errors.New("not there")

// Trouble is a failure that lies with the server or the way to it.
type Trouble struct {
	From    string        // the URL, without credentials and without its query, where signatures are
	Text    string        // "answered 503 Service Unavailable"
	Refused bool          // it does not let us in
	again   bool          // the same request may succeed soon
	after   time.Duration // it asked not to be asked again before
}

// Error says what happened, and where.
func (t *Trouble) Error() string { return t.Text + " (" + t.From + ")" }

// Client gets files over HTTP.
type Client struct {
	http  *http.Client
	stall time.Duration // a server that sends nothing for so long has failed
	Wait  time.Duration // before the second try; doubled for each further one
	Log   *slog.Logger  // told of servers that fail
}

// New makes a client. A server that sends nothing for as long as stall has failed.
func New(stall time.Duration, log *slog.Logger) *Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Archives are wanted as they are: net/http would unpack a tar.gz that is sent with
	// "Content-Encoding: gzip", and its digest would never match.
	transport.DisableCompression = true
	return &Client{http: &http.Client{Transport: transport, CheckRedirect: checkRedirect}, stall: stall, Wait: firstWait, Log: log}
}

// Close lets go of connections that nobody uses.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// checkRedirect keeps what was asked for privately from being sent in the clear.
func checkRedirect(req *http.Request, via []*http.Request) error {
	if len(via) >= maxRedirects {
		return fmt.Errorf("it redirects more than %d times", maxRedirects)
	}
	if via[0].URL.Scheme == "https" && req.URL.Scheme != "https" {
		return errors.New("it redirects from https to " + req.URL.Scheme)
	}
	return nil
}

// Get asks for a file and gives its body, and its size where that is known, else -1, to
// take; if the server fails on the way, it asks again, and take begins anew. The error is
// ErrAbsent, a *Trouble, ctx's cause, or whatever else take returned.
func (c *Client) Get(ctx context.Context, from string, user *url.Userinfo, take func(body io.Reader, size int64) error) error {
	return c.retry(ctx, from, func() error { return c.once(ctx, from, user, take) })
}

func (c *Client) retry(ctx context.Context, from string, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		t, ok := errors.AsType[*Trouble](err)
		if !ok {
			return err
		}
		t.From = shown(from)
		if !t.again || t.after > maxRetryAfter || n == tries {
			return t
		}
		wait := max(t.after, jitter(c.Wait<<(n-1)))
		c.Log.Warn("a server failed, trying again", "url", t.From, "err", t.Text, "try", n, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func shown(from string) string {
	place, _, signed := strings.Cut(from, "?")
	if signed {
		return place + "?***"
	}
	return place
}

// jitter returns between half of d and one and a half of it.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func (c *Client) once(ctx context.Context, from string, user *url.Userinfo, take func(io.Reader, int64) error) error {
	p := NewPatience(ctx, c.stall)
	defer p.End()
	ctx = p.Context()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, from, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "nodee")
	req.Header.Set("Accept-Encoding", "identity")
	if user != nil { // not in the URL, so that no error can show it
		password, _ := user.Password()
		req.SetBasicAuth(user.Username(), password)
	}
	resp, err := c.http.Do(req)
	p.idle.Stop()
	if err != nil {
		return explain(ctx, err)
	}
	defer resp.Body.Close()
	if err := judge(resp, time.Now()); err != nil {
		return err
	}
	return take(p.Read(resp.Body), resp.ContentLength)
}

// Patience bounds how long a server may send nothing.
type Patience struct {
	ctx   context.Context // of one request: it ends with it
	end   context.CancelCauseFunc
	idle  *time.Timer
	stall time.Duration
}

// NewPatience begins to wait for a server's answer. End must be called.
func NewPatience(ctx context.Context, stall time.Duration) *Patience {
	ctx, cancel := context.WithCancelCause(ctx)
	stalled := &Trouble{Text: fmt.Sprintf("sent nothing for %v", stall), again: true}
	return &Patience{ctx: ctx, end: cancel, idle: time.AfterFunc(stall, func() { cancel(stalled) }), stall: stall}
}

// Context ends when patience does, with a *Trouble for its cause.
func (p *Patience) Context() context.Context { return p.ctx }

// End ends the request.
func (p *Patience) End() {
	p.idle.Stop()
	p.end(nil)
}

// readFunc is a function that reads.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// Read reads a body, and turns what breaks it off into a *Trouble. Patience is measured
// only while something is asked of the server, not while a disk takes its time.
func (p *Patience) Read(body io.Reader) io.Reader {
	p.idle.Stop()
	return readFunc(func(b []byte) (int, error) {
		p.idle.Reset(p.stall)
		n, err := body.Read(b)
		p.idle.Stop()
		if err != nil && !errors.Is(err, io.EOF) {
			err = explain(p.ctx, err)
		}
		return n, err
	})
}

// explain turns an error of net/http into why the request ended. A url.Error is opened, as
// its URL, after redirects, may hold a secret.
func explain(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Trouble{Text: "broke off in the middle", again: true}
	}
	return &Trouble{Text: "cannot be reached: " + err.Error(), again: true}
}

// judge decides by status whether there is a file to take.
func judge(resp *http.Response, now time.Time) error {
	answered := fmt.Sprintf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return ErrAbsent
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &Trouble{Text: answered, Refused: true}
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests,
		code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported:
		return &Trouble{Text: answered, again: true, after: retryAfter(resp.Header.Get("Retry-After"), now)}
	}
	return &Trouble{Text: answered}
}

// retryAfter reads the header of that name: seconds, or a date. 0: it says nothing useful.
func retryAfter(header string, now time.Time) time.Duration {
	if n, err := strconv.ParseUint(header, 10, 31); err == nil {
		return time.Duration(n) * time.Second
	}
	if at, err := http.ParseTime(header); err == nil {
		return max(0, at.Sub(now))
	}
	return 0
}
