package client_test

import (
	"context"
	"encoding/pem"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/nodee/rest/resttest"
)

// problem checks that an error is a daemon's problem of a kind.
func problem(t *testing.T, err error, kind fault.Kind) *client.Problem {
	t.Helper()
	p, ok := errors.AsType[*client.Problem](err)
	if !ok || fault.KindOf(err) != kind {
		t.Fatalf("%T of the kind %d: %v; want a problem of the kind %d", err, fault.KindOf(err), err, kind)
	}
	if fault.SlugOf(err) != p.Slug() || p.Type != edge.ProblemBase+p.Slug() {
		t.Errorf("slug %q, type %q", p.Slug(), p.Type)
	}
	return p
}

func TestEveryKindComesBack(t *testing.T) {
	n, c := newClient(t)
	for kind := fault.Internal; kind <= fault.Full; kind++ {
		n.Fail("InstallArtifact", fault.New(kind, "some-slug", "cannot install it: the reason"))
		_, err := c.InstallArtifact(t.Context(), api.Install{Artifact: "g:n:1"})
		p := problem(t, err, kind)
		if p.Slug() != "some-slug" || err.Error() != "cannot install it: the reason" || p.Retryable != kind.Retryable() {
			t.Errorf("kind %d: %+v", kind, p)
		}
	}
}

func TestEveryFaultIsInTheText(t *testing.T) {
	n, c := newClient(t)
	_, err := c.InstallArtifact(t.Context(), api.Install{Artifact: "web", SHA256: "abc"})
	p := problem(t, err, fault.Invalid)
	for _, want := range []string{`cannot install "web": body.artifact: "web" is no artifact`, `; body.sha256: "abc" is no sha256`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if len(p.Errors) != 2 {
		t.Errorf("got %+v", p.Errors)
	}
	n.Fail("InstallArtifact", fault.Fields("cannot install it: one is wrong", []fault.Field{{Location: "body.x", Message: "one is wrong"}}))
	if _, err := c.InstallArtifact(t.Context(), api.Install{Artifact: "g:n:1"}); err.Error() != "cannot install it: one is wrong" {
		t.Errorf("said twice: %v", err)
	}
}

func TestTheTokenIsSent(t *testing.T) {
	url := resttest.Serve(t, resttest.NewNode(t), "read")
	for token, kind := range map[string]fault.Kind{"": fault.Unauthenticated, "wrong": fault.Unauthenticated} {
		c, err := client.New(client.Config{Addr: url, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		_, err = c.Status(t.Context())
		if p := problem(t, err, kind); !strings.Contains(p.Detail, "/prefix/state/token") {
			t.Errorf("token %q: %v", token, err)
		}
		_, err = c.FollowEvents(t.Context(), nil, nil)
		problem(t, err, kind)
		_, err = c.Metrics(t.Context())
		problem(t, err, kind)
	}
	must[api.Status](t, 200)(connect(t, url).Status(t.Context()))
}

// unreachable checks that an error says that nobody could be asked, or was cut off.
func unreachable(t *testing.T, err error, cut bool, want string) {
	t.Helper()
	u, ok := errors.AsType[*client.Unreachable](err)
	if !ok || u.Cut != cut || err.Error() != strings.ReplaceAll(want, "<it>", u.Addr) {
		t.Errorf("%T: %v\nwant %s", err, err, want)
	}
}

// everyCall makes a call of each sort.
func everyCall(ctx context.Context, c *client.Client) map[string]error {
	_, status := c.Status(ctx)
	_, install := c.InstallArtifact(ctx, api.Install{Artifact: "g:n:1"})
	_, events := c.FollowEvents(ctx, nil, nil)
	_, logs := c.Logs(ctx, web, client.LogQuery{})
	_, metrics := c.Metrics(ctx)
	return map[string]error{
		"status": status, "install": install, "events": events, "logs": logs, "metrics": metrics,
		"remove": c.RemoveService(ctx, web, client.Removal{}), "alive": c.Alive(ctx),
	}
}

func TestNobodyThere(t *testing.T) {
	for _, err := range everyCall(t.Context(), connect(t, "http://127.0.0.1:1")) {
		unreachable(t, err, false, "cannot reach <it>: connection refused; is nodee agent running there? --addr or NODEE_ADDR names another one")
	}
	for reason, err := range map[string]error{
		"there is no host nowhere": &net.DNSError{Err: "no such host", Name: "nowhere", IsNotFound: true},
		"nothing answers there":    os.ErrDeadlineExceeded,
	} {
		failing := roundTripper(func(*http.Request) (*http.Response, error) { return nil, &net.OpError{Op: "dial", Err: err} })
		c, err := client.New(client.Config{Addr: "http://nowhere", HTTP: &http.Client{Transport: failing}})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Status(t.Context())
		unreachable(t, err, false, "cannot reach <it>: "+reason+"; is nodee agent running there? --addr or NODEE_ADDR names another one")
	}
}

func TestCutOffBeforeTheAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }))
	defer srv.Close()
	for name, err := range everyCall(t.Context(), connect(t, srv.URL)) {
		if u, ok := errors.AsType[*client.Unreachable](err); !ok || !u.Cut {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

func TestCutOffInTheAnswer(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", r.Header.Get("Accept"))
		w.Header().Set("Nodee-Log-Offset", "7")
		_, _ = io.WriteString(w, `data: {"ha`)
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	c := connect(t, srv.URL)
	const want = "cannot hear the answer of <it> to its end: the connection broke off; see there what became of the request"
	_, err := c.Status(t.Context())
	unreachable(t, err, true, want)
	_, err = c.Metrics(t.Context())
	unreachable(t, err, true, want)

	part, err := c.Logs(t.Context(), web, client.LogQuery{})
	if err != nil {
		t.Fatal(err)
	}
	defer part.Close()
	text, err := io.ReadAll(part)
	unreachable(t, err, true, want)
	if string(text) != `data: {"ha` || part.Offset() != 17 {
		t.Errorf("%q to %d", text, part.Offset())
	}
	events, err := c.FollowEvents(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	_, _, err = events.Next()
	unreachable(t, err, true, want)
}

func TestWhoGivesUpBlamesNobody(t *testing.T) {
	_, c := newClient(t)
	events, err := c.FollowEvents(t.Context(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	events.Close()
	ctx, cancel := context.WithCancelCause(t.Context())
	if events, err = c.FollowEvents(ctx, nil, nil); err != nil {
		t.Fatal(err)
	}
	defer events.Close()
	why := errors.New("enough")
	cancel(why)
	if _, _, err := events.Next(); !errors.Is(err, why) {
		t.Errorf("the stream: %v", err)
	}
	for name, err := range everyCall(ctx, c) {
		if _, ok := errors.AsType[*client.Unreachable](err); ok || !errors.Is(err, why) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

func TestSomebodyElseThere(t *testing.T) {
	for name, h := range map[string]http.HandlerFunc{
		"a page": func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "<html>It works!</html>")
		},
		"no page": http.NotFound,
		"JSON of another sort": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"error":"no"}`)
		},
		"a redirect": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/login", http.StatusFound)
		},
		"a problem of another sort": func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `[]`)
		},
	} {
		srv := httptest.NewServer(h)
		for call, err := range everyCall(t.Context(), connect(t, srv.URL)) {
			f, ok := errors.AsType[*client.Foreign](err)
			if !ok || !strings.HasPrefix(err.Error(), "cannot use the answer of "+srv.URL+": it is ") {
				t.Errorf("%s, %s: %T %v", name, call, err, err)
			} else if f.Status == 0 || fault.KindOf(err) != fault.Internal {
				t.Errorf("%s, %s: %+v", name, call, f)
			}
		}
		srv.Close()
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `half`)
	}))
	defer srv.Close()
	if _, err := connect(t, srv.URL).Status(t.Context()); !strings.HasPrefix(err.Error(), "cannot read the answer of "+srv.URL) {
		t.Errorf("no JSON: %v", err)
	}
}

func TestTLS(t *testing.T) {
	srv := httptest.NewUnstartedServer(resttest.Handler(resttest.NewNode(t), "write"))
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.StartTLS()
	defer srv.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Addr: srv.URL, CA: ca})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	must[api.Status](t, 200)(c.Status(t.Context()))

	_, err = connect(t, srv.URL).Status(t.Context())
	if u, ok := errors.AsType[*client.Unreachable](err); !ok || u.Cut || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("an unknown authority: %T %v", err, err)
	}
	_, err = connect(t, strings.Replace(srv.URL, "https:", "http:", 1)).Status(t.Context())
	if _, ok := errors.AsType[*client.Foreign](err); !ok || !strings.Contains(err.Error(), "does it want https?") {
		t.Errorf("http to https: %T %v", err, err)
	}
	plain := httptest.NewServer(http.NotFoundHandler())
	defer plain.Close()
	_, err = connect(t, strings.Replace(plain.URL, "http:", "https:", 1)).Status(t.Context())
	if u, ok := errors.AsType[*client.Unreachable](err); !ok || u.Cut || !strings.Contains(err.Error(), "HTTP response to HTTPS client") {
		t.Errorf("https to http: %T %v", err, err)
	}
}
