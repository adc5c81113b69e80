package edge

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestBodiesHaveALimit(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	fill := func(n int) string { return strings.Repeat("x", n) }
	for _, chunked := range []bool{false, true} {
		res := answerTo(t, request{method: "POST", url: url + "/raw/a", body: fill(MaxBody), chunked: chunked, token: rightToken})
		if want := fmt.Sprintf(`"count":%d`, MaxBody); res.StatusCode != 200 || !strings.Contains(res.text, want) {
			t.Errorf("chunked %v: a body at the limit: %d %s", chunked, res.StatusCode, res.text)
		}
		for _, path := range []string{"/raw/a", "/write", "/later/a/b"} { // also where no body is read
			for _, size := range []int{MaxBody + 1, 5 * MaxBody} {
				p := answerTo(t, request{method: "POST", url: url + path, body: fill(size), chunked: chunked, token: rightToken}).
					problem(t, 413, "body-too-large")
				if p.Retryable {
					t.Error("413 is retryable")
				}
			}
		}
	}
}

// A body that is too large is refused on its announcement alone.
func TestALargeBodyIsRefusedBeforeItIsSent(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	conn := dial(t, url)
	fmt.Fprintf(conn, "POST /raw/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n",
		rightToken, MaxBody+1)
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, "413") {
		t.Errorf("answer %q, %v; want 413, not 100", status, err)
	}
}

func TestARefusalDoesNotWaitForTheBody(t *testing.T) {
	a := newAPI(t, config(), table()...)
	a.bodyTimeout = 50 * time.Millisecond
	conn := dial(t, serve(t, a))
	fmt.Fprint(conn, "POST /raw/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n")
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, "401") {
		t.Errorf("answer %q, %v; want 401", status, err)
	}
}

func TestABodyThatDoesNotArriveIsNotWaitedFor(t *testing.T) {
	a := newAPI(t, config(), table()...)
	a.bodyTimeout = 50 * time.Millisecond
	conn := dial(t, serve(t, a))
	fmt.Fprintf(conn, "POST /raw/a HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer %s\r\nContent-Length: 10\r\n\r\nhalf", rightToken)
	status, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil || !strings.Contains(status, "408") {
		t.Errorf("answer %q, %v; want 408", status, err)
	}
}

// A deadline that is left on the connection cancels a request that waits for longer, also
// the one that huma sets of its own accord.
func TestARequestThatWasReadHasNoDeadline(t *testing.T) {
	w := &deadlines{ResponseRecorder: httptest.NewRecorder()}
	wait := func(_ context.Context, in *thingIn) (*thingOut, error) {
		if !w.set || !w.read.IsZero() {
			t.Errorf("read deadline: was set %v, now %v; want true, none", w.set, w.read)
		}
		return &thingOut{Body: in.Body}, nil
	}
	a := newAPI(t, config(), Answer(route("PUT", "/wait/{name}", Write, "wait"), wait))
	r := httptest.NewRequestWithContext(t.Context(), "PUT", "http://localhost/wait/a", strings.NewReader(`{"name":"a"}`))
	r.Header.Set("Authorization", "Bearer "+rightToken)
	a.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("status %d: %s", w.Code, w.Body)
	}
}

// deadlines keeps the read deadline, as a connection does.
type deadlines struct {
	*httptest.ResponseRecorder
	set  bool
	read time.Time
}

func (d *deadlines) SetReadDeadline(at time.Time) error {
	d.set, d.read = d.set || !at.IsZero(), at
	return nil
}

func TestContentTypes(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	for _, tt := range []struct {
		path, contentType string
		status            int
	}{
		{"/things/a", "", 201},
		{"/things/a", "application/json", 201},
		{"/things/a", "application/json; charset=utf-8", 201},
		{"/things/a", "Application/JSON", 201},
		{"/things/a", "text/plain", 415},
		{"/things/a", "application/x-www-form-urlencoded", 201}, // what curl -d says when nobody says anything
		{"/raw/a", "application/x-www-form-urlencoded", 200},
		{"/things/a", "a/b/c", 415},
		{"/raw/a", "application/json", 200},
		{"/raw/a", "application/toml", 415},
	} {
		method := "PUT"
		if strings.HasPrefix(tt.path, "/raw") {
			method = "POST"
		}
		header := map[string]string{}
		if tt.contentType != "" {
			header["Content-Type"] = tt.contentType
		}
		res := answerTo(t, request{method: method, url: url + tt.path, body: `{"name":"a"}`, token: rightToken, header: header})
		if tt.status == http.StatusUnsupportedMediaType {
			if p := res.problem(t, 415, "unsupported-media-type"); !strings.Contains(p.Detail, "application/json") {
				t.Errorf("detail = %q", p.Detail)
			}
		} else if res.StatusCode != tt.status {
			t.Errorf("%s %q: status %d, want %d: %s", tt.path, tt.contentType, res.StatusCode, tt.status, res.text)
		}
	}
}

func dial(t *testing.T, url string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}
