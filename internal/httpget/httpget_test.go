package httpget

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func testClient(t *testing.T, stall time.Duration) *Client {
	c := New(stall, quiet())
	c.Wait = time.Millisecond
	t.Cleanup(c.Close)
	return c
}

// serve starts a real server with one handler.
func serve(t *testing.T, h http.HandlerFunc) *httptest.Server {
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s
}

// fetchText gets a URL whole; what a failed try had read does not count.
func fetchText(c *Client, ctx context.Context, from string, user *url.Userinfo) (string, error) {
	var text string
	err := c.Get(ctx, from, user, func(body io.Reader, _ int64) error {
		b, err := io.ReadAll(body)
		text = string(b)
		return err
	})
	return text, err
}

func TestRetryWaitsLongerEachTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &Client{Wait: firstWait, Log: quiet()}
		var at []time.Duration
		start := time.Now()
		err := c.retry(t.Context(), "http://x", func() error {
			at = append(at, time.Since(start))
			return &Trouble{Text: "failed", again: true}
		})
		if trouble, ok := errors.AsType[*Trouble](err); !ok || trouble.From != "http://x" || len(at) != tries {
			t.Fatalf("%v after %v", err, at)
		}
		for i, first := range []time.Duration{firstWait, 2 * firstWait} {
			if wait := at[i+1] - at[i]; wait < first/2 || wait > first*3/2 {
				t.Errorf("wait %d is %v, want about %v", i+1, wait, first)
			}
		}
	})
}

func TestRetryHonoursRetryAfterWithinBounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for after, want := range map[time.Duration]int{10 * time.Second: tries, maxRetryAfter + time.Second: 1} {
			n, start := 0, time.Now()
			c := &Client{Wait: firstWait, Log: quiet()}
			c.retry(t.Context(), "http://x", func() error {
				n++
				return &Trouble{again: true, after: after}
			})
			if wait := time.Since(start); n != want || wait != time.Duration(n-1)*after {
				t.Errorf("Retry-After %v: %d tries in %v", after, n, wait)
			}
		}
	})
}

func TestRetryEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithCancelCause(t.Context())
		c := &Client{Wait: firstWait, Log: quiet()}
		err := c.retry(ctx, "http://x", func() error {
			cancel(enough)
			return &Trouble{again: true}
		})
		if !errors.Is(err, enough) {
			t.Errorf("%v, want the cause", err)
		}
	})
}

func TestStatusesAreJudged(t *testing.T) {
	for code, want := range map[int]string{
		200: "", 404: "absent", 410: "absent", 401: "refused", 403: "refused", 400: "failed", 204: "failed", 206: "failed", 304: "failed", 418: "failed",
		408: "again", 425: "again", 429: "again", 500: "again", 502: "again", 503: "again", 504: "again", 501: "failed", 505: "failed",
	} {
		err := judge(&http.Response{StatusCode: code, Header: http.Header{}}, time.Time{})
		got := ""
		switch tr, ok := errors.AsType[*Trouble](err); {
		case errors.Is(err, ErrAbsent):
			got = "absent"
		case ok && tr.Refused:
			got = "refused"
		case ok && tr.again:
			got = "again"
		case ok:
			got = "failed"
		}
		if got != want {
			t.Errorf("%d is judged %q, want %q (%v)", code, got, want, err)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for header, want := range map[string]time.Duration{
		"": 0, "7": 7 * time.Second, "-7": 0, "soon": 0, "Fri, 02 Jan 2026 03:04:15 GMT": 10 * time.Second, "Fri, 02 Jan 2026 03:00:00 GMT": 0,
		"99999999999999999999": 0,
	} {
		if got := retryAfter(header, now); got != want {
			t.Errorf("%q: %v, want %v", header, got, want)
		}
	}
}

func TestAStalledServerFails(t *testing.T) {
	for name, send := range map[string]func(http.ResponseWriter){
		"before the headers": func(http.ResponseWriter) {},
		"in the body": func(w http.ResponseWriter) {
			w.Header().Set("Content-Length", "100")
			io.WriteString(w, "begin")
			w.(http.Flusher).Flush()
		},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			s := serve(t, func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				send(w)
				<-r.Context().Done()
			})
			_, err := fetchText(testClient(t, 50*time.Millisecond), t.Context(), s.URL, nil)
			if tr, ok := errors.AsType[*Trouble](err); !ok || !strings.Contains(tr.Text, "sent nothing for 50ms") {
				t.Errorf("%v, want a stall", err)
			}
			if asked.Load() != tries {
				t.Errorf("asked %d times, want %d", asked.Load(), tries)
			}
		})
	}
}

func TestASlowReaderIsNoStall(t *testing.T) {
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.Write(make([]byte, 4<<20)) })
	read := 0
	err := testClient(t, 50*time.Millisecond).Get(t.Context(), s.URL, nil, func(body io.Reader, _ int64) error {
		time.Sleep(200 * time.Millisecond) // a disk that takes its time
		n, err := io.Copy(io.Discard, body)
		read += int(n)
		return err
	})
	if err != nil || read != 4<<20 {
		t.Errorf("read %d, %v", read, err)
	}
}

func TestABrokenBodyIsAskedForAgain(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "8")
		io.WriteString(w, "half")
		if asked.Add(1) == 1 {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
		io.WriteString(w, "half")
	})
	if text, err := fetchText(testClient(t, time.Minute), t.Context(), s.URL, nil); err != nil || text != "halfhalf" {
		t.Errorf("%q, %v", text, err)
	}
}

func TestWhatTakeFailsWithIsNotRetried(t *testing.T) {
	var asked atomic.Int32
	s := serve(t, func(http.ResponseWriter, *http.Request) { asked.Add(1) })
	full := errors.New("disk full")
	err := testClient(t, time.Minute).Get(t.Context(), s.URL, nil, func(io.Reader, int64) error { return full })
	if !errors.Is(err, full) || asked.Load() != 1 {
		t.Errorf("%v after %d tries", err, asked.Load())
	}
}

func TestCredentialsAreSentAndNeverShown(t *testing.T) {
	other := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if _, _, ok := r.BasicAuth(); ok || r.Referer() != "" && strings.Contains(r.Referer(), "s3cret") {
			t.Error("another host was told the password")
		}
		http.Error(w, "", http.StatusBadRequest)
	})
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "s3cret" {
			t.Errorf("asked by %q with %q", user, password)
		}
		switch r.URL.Path {
		case "/redirect":
			http.Redirect(w, r, strings.Replace(other.URL, "127.0.0.1", "localhost", 1)+"/?signature=s3cret", http.StatusFound)
		case "/broken":
			panic(http.ErrAbortHandler)
		default:
			w.WriteHeader(http.StatusUnauthorized)
		}
	})
	var log bytes.Buffer
	c := New(time.Minute, slog.New(slog.NewTextHandler(&log, nil)))
	c.Wait = time.Millisecond
	defer c.Close()
	for _, path := range []string{"/", "/redirect", "/broken", "/broken?signature=s3cret"} {
		_, err := fetchText(c, t.Context(), s.URL+path, url.UserPassword("user", "s3cret"))
		if err == nil || strings.Contains(err.Error()+log.String(), "s3cret") {
			t.Errorf("%s: %v, logged %s", path, err, log.String())
		}
	}
}

func TestNoRedirectOutOfTLS(t *testing.T) {
	ask := func(u string) *http.Request { return httptest.NewRequest(http.MethodGet, u, nil) }
	if err := checkRedirect(ask("http://b/"), []*http.Request{ask("https://a/")}); err == nil {
		t.Error("from https to http")
	}
	if err := checkRedirect(ask("https://b/"), []*http.Request{ask("http://a/")}); err != nil {
		t.Errorf("from http to https: %v", err)
	}
	if err := checkRedirect(ask("http://b/"), make([]*http.Request, maxRedirects)); err == nil {
		t.Error("redirected for ever")
	}
}

func TestABodyIsTakenAsItIs(t *testing.T) {
	packed := string(unpacktest.Gz(t, []byte("archive")))
	s := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if enc := r.Header.Get("Accept-Encoding"); enc != "identity" {
			t.Errorf("Accept-Encoding: %s", enc)
		}
		w.Header().Set("Content-Encoding", "gzip")
		fmt.Fprint(w, packed)
	})
	if text, err := fetchText(testClient(t, time.Minute), t.Context(), s.URL, nil); err != nil || text != packed {
		t.Errorf("%q, %v; want it packed", text, err)
	}
}
