package fetch

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
	"time"
)

const (
	tries         = 3
	firstWait     = 500 * time.Millisecond
	maxRetryAfter = 30 * time.Second // who asks for more patience than that has failed for now
	maxRedirects  = 10
)

// errAbsent says that a repository answered and does not have the file.
var errAbsent = errors.New("not there")

// trouble is a failure that lies with the repository or the way to it.
type trouble struct {
	from    string        // the URL, without credentials
	text    string        // "answered 503 Service Unavailable"
	refused bool          // it does not let us in
	again   bool          // the same request may succeed soon
	after   time.Duration // it asked not to be asked again before
}

func (t *trouble) Error() string { return t.text + " (" + t.from + ")" }

// client gets files over HTTP. It starts no goroutine of its own but those of net/http,
// which end with the request or at close.
type client struct {
	http  *http.Client
	stall time.Duration // a repository that sends nothing for so long has failed
	wait  time.Duration // before the second try; doubled for each further one
	log   *slog.Logger
}

func newClient(stall time.Duration, log *slog.Logger) *client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// Archives are wanted as they are: net/http would unpack a tar.gz that is sent with
	// "Content-Encoding: gzip", and its digest would never match.
	transport.DisableCompression = true
	return &client{http: &http.Client{Transport: transport, CheckRedirect: checkRedirect}, stall: stall, wait: firstWait, log: log}
}

func (c *client) close() { c.http.CloseIdleConnections() }

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

// get asks for a file and gives its body, and its size where that is known, else -1, to
// take; if the repository fails on the way, it asks again, and take begins anew. The error is
// errAbsent, a *trouble, ctx's cause, or whatever else take returned.
func (c *client) get(ctx context.Context, from string, user *url.Userinfo, take func(body io.Reader, size int64) error) error {
	return c.retry(ctx, from, func() error { return c.once(ctx, from, user, take) })
}

func (c *client) retry(ctx context.Context, from string, try func() error) error {
	for n := 1; ; n++ {
		err := try()
		t, ok := errors.AsType[*trouble](err)
		if !ok {
			return err
		}
		t.from = from
		if !t.again || t.after > maxRetryAfter || n == tries {
			return t
		}
		wait := max(t.after, jitter(c.wait<<(n-1)))
		c.log.Warn("a repository failed, trying again", "url", from, "err", t.text, "try", n, "wait", wait)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// jitter returns between half of d and one and a half of it.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d) }

func (c *client) once(ctx context.Context, from string, user *url.Userinfo, take func(io.Reader, int64) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stalled := &trouble{text: fmt.Sprintf("sent nothing for %v", c.stall), again: true}
	idle := time.AfterFunc(c.stall, func() { cancel(stalled) })
	defer idle.Stop()
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
	idle.Stop()
	if err != nil {
		return explain(ctx, err)
	}
	defer resp.Body.Close()
	if err := judge(resp, time.Now()); err != nil {
		return err
	}
	return take(patient(ctx, resp.Body, idle, c.stall), resp.ContentLength)
}

// readFunc is a function that reads.
type readFunc func(p []byte) (int, error)

func (f readFunc) Read(p []byte) (int, error) { return f(p) }

// patient reads a body, and turns what breaks it off into a *trouble. Patience is measured
// only while something is asked of the repository, not while a disk takes its time.
func patient(ctx context.Context, body io.Reader, idle *time.Timer, stall time.Duration) io.Reader {
	return readFunc(func(p []byte) (int, error) {
		idle.Reset(stall)
		n, err := body.Read(p)
		idle.Stop()
		if err != nil && !errors.Is(err, io.EOF) {
			err = explain(ctx, err)
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
		return &trouble{text: "broke off in the middle", again: true}
	}
	return &trouble{text: "cannot be reached: " + err.Error(), again: true}
}

// judge decides by status whether there is a file to take.
func judge(resp *http.Response, now time.Time) error {
	answered := fmt.Sprintf("answered %d %s", resp.StatusCode, http.StatusText(resp.StatusCode))
	switch code := resp.StatusCode; {
	case code == http.StatusOK:
		return nil
	case code == http.StatusNotFound || code == http.StatusGone:
		return errAbsent
	case code == http.StatusUnauthorized || code == http.StatusForbidden:
		return &trouble{text: answered + "; check the user and password in its url", refused: true}
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests,
		code >= 500 && code != http.StatusNotImplemented && code != http.StatusHTTPVersionNotSupported:
		return &trouble{text: answered, again: true, after: retryAfter(resp.Header.Get("Retry-After"), now)}
	}
	return &trouble{text: answered}
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
