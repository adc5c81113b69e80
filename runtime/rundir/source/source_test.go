package source

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/test/s3"
)

func TestMain(m *testing.M) {
	code := m.Run()
	s3.Clean()
	os.Exit(code)
}

func open(t *testing.T, c Config) *Sources {
	t.Helper()
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.http.Wait = time.Millisecond
	t.Cleanup(s.Close)
	return s
}

// get gets a source into a file that holds something from before, and returns what it holds then.
func get(t *testing.T, ctx context.Context, s *Sources, from string, most int64) (string, error) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("what an earlier try has left, which was longer"); err != nil {
		t.Fatal(err)
	}
	err = s.Get(ctx, from, f, most)
	b, e := os.ReadFile(f.Name())
	if e != nil {
		t.Fatal(e)
	}
	return string(b), err
}

// web serves /ok with content, and lets every other path fail in its own way.
func web(t *testing.T) *httptest.Server {
	var asked atomic.Int32
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/ok":
			io.WriteString(w, "content")
		case "/endless":
			for r.Context().Err() == nil {
				w.Write(make([]byte, 1<<10))
			}
		case "/broken":
			w.Header().Set("Content-Length", "7")
			io.WriteString(w, "con")
			if asked.Add(1) == 1 {
				w.(http.Flusher).Flush()
				panic(http.ErrAbortHandler)
			}
			io.WriteString(w, "tent")
		case "/away":
			w.WriteHeader(http.StatusServiceUnavailable)
		case "/closed":
			w.WriteHeader(http.StatusForbidden)
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

func TestHTTP(t *testing.T) {
	w := web(t)
	var log bytes.Buffer
	s := open(t, Config{Log: slog.New(slog.NewTextHandler(&log, nil))})
	for path, want := range map[string]struct {
		most int64
		kind fault.Kind
		says string // of the content, or of the error
	}{
		"/ok":                    {7, 0, "content"},
		"/ok?most=6":             {6, fault.Invalid, "more than 6 bytes"},
		"/endless":               {5 << 10, fault.Invalid, "more than 5120 bytes"},
		"/broken":                {100, 0, "content"},
		"/none?signature=s3cret": {100, fault.NotFound, "there is nothing at " + w.URL + "/none; put it there"},
		"/away?signature=s3cret": {100, fault.Upstream, "its source answered 503 Service Unavailable (" + w.URL + "/away?***)"},
		"/closed":                {100, fault.Upstream, "answered 403"},
	} {
		content, err := get(t, t.Context(), s, w.URL+path, want.most)
		switch {
		case want.kind == 0 && (err != nil || content != want.says):
			t.Errorf("%s: %q, %v", path, content, err)
		case want.kind != 0 && (fault.KindOf(err) != want.kind || !strings.Contains(err.Error(), want.says)):
			t.Errorf("%s: told %v (kind %d), want %q", path, err, fault.KindOf(err), want.says)
		case err != nil && strings.Contains(err.Error()+log.String(), "s3cret"):
			t.Errorf("%s: the signature is shown: %v\n%s", path, err, log.String())
		}
	}
	w.Close()
	if _, err := get(t, t.Context(), s, w.URL+"/ok", 7); fault.KindOf(err) != fault.Upstream || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("a server that is away: %v", err)
	}
}

func TestAnEndedContextIsTold(t *testing.T) {
	enough := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(enough)
	s := open(t, Config{S3: S3{Endpoint: "http://127.0.0.1:1", Region: "us-east-1"}})
	for _, from := range []string{web(t).URL + "/ok", "s3://bucket/key"} {
		if _, err := get(t, ctx, s, from, 7); !errors.Is(err, enough) {
			t.Errorf("%s: %v", from, err)
		}
	}
}

// credentialsFile writes keys as ~/.aws/credentials has them.
func credentialsFile(t *testing.T, access, secret string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "credentials")
	text := "[default]\naws_access_key_id = " + access + "\naws_secret_access_key = " + secret + "\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestS3(t *testing.T) {
	server := s3.Start(t)
	large := strings.Repeat("0123456789abcdef", 1<<20)
	server.Put(t, "conf/app.toml", "content")
	server.Put(t, "odd/ä b+c.txt", "odd")
	server.Put(t, "large", large)
	server.Put(t, "empty", "")
	good := credentialsFile(t, s3.AccessKey, s3.SecretKey)
	named := open(t, Config{S3: S3{Endpoint: server.Endpoint, CredentialsFile: good}})
	for from, want := range map[string]string{
		"s3://bucket/conf/app.toml": "content", "s3://bucket/odd/ä b+c.txt": "odd", "s3://bucket/large": large, "s3://bucket/empty": "",
	} {
		if content, err := get(t, t.Context(), named, from, int64(len(large))); err != nil || content != want {
			t.Errorf("%s: %.100q, %v", from, content, err)
		}
	}
	other := credentialsFile(t, s3.AccessKey, "wrong-secret")
	for what, c := range map[string]struct {
		from, credentials string
		most              int64
		kind              fault.Kind
		says              string
	}{
		"no such key":    {"s3://bucket/none", good, 100, fault.NotFound, "there is nothing at s3://bucket/none"},
		"no such bucket": {"s3://nowhere/none", good, 100, fault.NotFound, "there is nothing at s3://nowhere/none"},
		"too much":       {"s3://bucket/large", good, 1000, fault.Invalid, "more than 1000 bytes"},
		"wrong secret":   {"s3://bucket/large", other, 100, fault.Upstream, "check the credentials for S3"},
		"no credentials": {"s3://bucket/large", filepath.Join(t.TempDir(), "none"), 100, fault.Upstream, "(s3://bucket/large)"},
	} {
		s := open(t, Config{S3: S3{Endpoint: server.Endpoint, Region: "us-east-1", CredentialsFile: c.credentials}})
		_, err := get(t, t.Context(), s, c.from, c.most)
		if fault.KindOf(err) != c.kind || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: told %v (kind %d), want %q", what, err, fault.KindOf(err), c.says)
		}
	}
	server.Stop()
	if _, err := get(t, t.Context(), named, "s3://bucket/large", 1<<30); fault.KindOf(err) != fault.Upstream || !strings.Contains(err.Error(), "cannot be reached") {
		t.Errorf("a server that is away: %v", err)
	}
}

func TestCredentialsFromTheEnvironment(t *testing.T) {
	server := s3.Start(t)
	server.Put(t, "key", "content")
	t.Setenv("AWS_ACCESS_KEY_ID", s3.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", s3.SecretKey)
	s := open(t, Config{S3: S3{Endpoint: server.Endpoint}})
	if content, err := get(t, t.Context(), s, "s3://bucket/key", 100); err != nil || content != "content" {
		t.Errorf("%q, %v", content, err)
	}
}

// A server that takes a connection and says nothing must not hold up a start for ever.
func TestAStalledBucketFails(t *testing.T) {
	mute := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(mute.Close)
	s := open(t, Config{S3: S3{Endpoint: mute.URL, Region: "us-east-1", CredentialsFile: credentialsFile(t, "a", "b")}, Stall: 50 * time.Millisecond})
	if _, err := get(t, t.Context(), s, "s3://bucket/key", 100); fault.KindOf(err) != fault.Upstream || !strings.Contains(err.Error(), "sent nothing for 50ms") {
		t.Errorf("told %v", err)
	}
}
