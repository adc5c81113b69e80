package edge

import (
	"bufio"
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

func TestFrames(t *testing.T) {
	for _, tt := range []struct {
		event Event
		want  string
	}{
		{Event{ID: "7", Type: "started", Data: map[string]int{"pid": 1}}, "id: 7\nevent: started\ndata: {\"pid\":1}\n\n"},
		{Event{Data: "a line"}, "data: a line\n\n"},
		{Event{Data: ""}, "data: \n\n"},
		{Event{Data: "two\nlines"}, "data: two\ndata: lines\n\n"},
		{Event{ID: "1", Data: "x\r\nid: 9\rdata: y\n\nevent: z"}, "id: 1\ndata: x\ndata: id: 9\ndata: data: y\ndata: \ndata: event: z\n\n"},
	} {
		got, err := frame(tt.event)
		if err != nil || string(got) != tt.want {
			t.Errorf("frame(%+v) = %q, %v\nwant %q", tt.event, got, err, tt.want)
		}
	}
	if _, err := frame(Event{Data: func() {}}); err == nil {
		t.Error("a function became JSON")
	}
}

func TestWhoGetsAnEventStream(t *testing.T) {
	for accept, want := range map[string]bool{
		"text/event-stream":                         true,
		"Text/Event-Stream":                         true,
		"text/event-stream, application/json;q=0.5": true,
		"application/json;q=0.5, text/event-stream": true,
		"application/json, text/event-stream;q=0.5": false,
		"application/json":                          false,
		"text/plain, text/event-stream;q=0.1":       false,
		"*/*":                                       false,
		"":                                          false,
	} {
		r := &http.Request{Header: http.Header{"Accept": {accept}}}
		if got := wantsEvents(r); got != want {
			t.Errorf("Accept %q: %v, want %v", accept, got, want)
		}
	}
}

type countIn struct {
	Resume
	To int `query:"to"`
}

// counting answers the numbers up to in.To, those after Last-Event-ID in a stream.
func counting() Entry {
	once := func(_ context.Context, in *countIn) (*thingOut, error) {
		return &thingOut{Body: thing{Name: "once", Count: in.To}}, nil
	}
	live := func(_ context.Context, in *countIn) (*Stream, error) {
		from := 0
		if in.LastEventID != "" {
			var err error
			if from, err = strconv.Atoi(in.LastEventID); err != nil {
				return nil, fault.New(fault.Invalid, "bad-event-id", "Last-Event-ID %q is no number", in.LastEventID)
			}
		}
		return Events(func(_ context.Context, send func(Event) error) error {
			for n := from + 1; n <= in.To; n++ {
				if err := send(Event{ID: strconv.Itoa(n), Type: "n", Data: n}); err != nil {
					return err
				}
			}
			return nil
		}), nil
	}
	return Live(route("GET", "/count", Read, "count"), once, live)
}

func TestOneRouteAnswersOnceOrLive(t *testing.T) {
	url := serve(t, newAPI(t, config(), counting()))
	events := map[string]string{"Accept": "text/event-stream"}

	res := answerTo(t, request{method: "GET", url: url + "/count?to=3"})
	if res.Header.Get("Content-Type") != "application/json" || res.text != `{"name":"once","count":3}`+"\n" {
		t.Errorf("once: %q %s", res.Header.Get("Content-Type"), res.text)
	}
	res = answerTo(t, request{method: "GET", url: url + "/count?to=3", header: events})
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" || res.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("live: %d %v", res.StatusCode, res.Header)
	}
	if want := "id: 1\nevent: n\ndata: 1\n\nid: 2\nevent: n\ndata: 2\n\nid: 3\nevent: n\ndata: 3\n\n"; res.text != want {
		t.Errorf("live: %q", res.text)
	}
	events["Last-Event-ID"] = "2"
	if res = answerTo(t, request{method: "GET", url: url + "/count?to=3", header: events}); res.text != "id: 3\nevent: n\ndata: 3\n\n" {
		t.Errorf("resumed: %q", res.text)
	}
	// What is wrong is told before the stream begins.
	events["Last-Event-ID"] = "x"
	answerTo(t, request{method: "GET", url: url + "/count", header: events}).problem(t, 422, "bad-event-id")
	answerTo(t, request{method: "GET", url: url + "/count?to=x", header: events}).problem(t, 422, "invalid")
	answerTo(t, request{method: "POST", url: url + "/count", header: events}).problem(t, 405, "method-not-allowed")
}

func TestAStreamHasTheRulesOfItsRoute(t *testing.T) {
	cfg := config()
	cfg.RequireToken = "read"
	url := serve(t, newAPI(t, cfg, counting()))
	answerTo(t, request{method: "GET", url: url + "/count", header: map[string]string{"Accept": "text/event-stream"}}).
		problem(t, 401, "unauthenticated")
}

// Nothing is held back: the headers come before the first event, each event before the next.
func TestEventsAreSentAtOnce(t *testing.T) {
	events := make(chan string)
	live := func(context.Context, *struct{}) (*Stream, error) {
		return Events(func(ctx context.Context, send func(Event) error) error {
			for {
				select {
				case <-ctx.Done():
					return nil
				case e := <-events:
					if err := send(Event{Data: e}); err != nil {
						return err
					}
				}
			}
		}), nil
	}
	url := serve(t, newAPI(t, config(), Live(route("GET", "/live", Read, "live"), hello, live)))
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, "GET", url+"/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "text/event-stream")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	for _, e := range []string{"one", "two"} {
		events <- e
		if line, err := r.ReadString('\n'); err != nil || line != "data: "+e+"\n" {
			t.Fatalf("got %q, %v", line, err)
		}
		if line, err := r.ReadString('\n'); err != nil || line != "\n" {
			t.Fatalf("got %q, %v", line, err)
		}
	}
}

func TestAStreamEndsWhenTheCallerLeaves(t *testing.T) {
	ended := make(chan error, 1)
	live := func(context.Context, *struct{}) (*Stream, error) {
		return Events(func(ctx context.Context, _ func(Event) error) error {
			<-ctx.Done()
			ended <- ctx.Err()
			return nil
		}), nil
	}
	url := serve(t, newAPI(t, config(), Answer(route("GET", "/live", Read, "live"), live)))
	res, err := http.Get(url + "/live")
	if err != nil {
		t.Fatal(err)
	}
	res.Body.Close()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("it goes on")
	}
}

func TestTextStreams(t *testing.T) {
	text := func(context.Context, *struct{}) (*Stream, error) {
		return &Stream{
			Header: http.Header{"Nodee-Log-Offset": {"17"}},
			Write:  func(_ context.Context, w io.Writer) error { _, err := io.WriteString(w, "a\nb\n"); return err },
		}, nil
	}
	broken := func(context.Context, *struct{}) (*Stream, error) {
		return &Stream{Write: func(_ context.Context, w io.Writer) error {
			_, err := io.WriteString(w, "a\n")
			return errors.Join(err, errors.New("disk on fire"))
		}}, nil
	}
	var l log
	cfg := config()
	cfg.Log = logger(&l)
	url := serve(t, newAPI(t, cfg,
		Answer(route("GET", "/text", Read, "text"), text), Answer(route("GET", "/broken", Read, "broken"), broken)))

	res := answerTo(t, request{method: "GET", url: url + "/text"})
	if res.text != "a\nb\n" || res.Header.Get("Nodee-Log-Offset") != "17" || !strings.HasPrefix(res.Header.Get("Content-Type"), "text/plain") {
		t.Errorf("%q %v", res.text, res.Header)
	}
	half, err := http.Get(url + "/broken")
	if err != nil {
		t.Fatal(err)
	}
	defer half.Body.Close()
	if _, err := io.ReadAll(half.Body); err == nil {
		t.Error("what broke off passes for the end")
	}
	if !strings.Contains(l.String(), "disk on fire") {
		t.Errorf("log = %q", l.String())
	}
}

func TestHeadOfAStreamEnds(t *testing.T) {
	endless := func(context.Context, *struct{}) (*Stream, error) {
		return &Stream{Write: func(ctx context.Context, _ io.Writer) error { <-ctx.Done(); return nil }}, nil
	}
	url := serve(t, newAPI(t, config(), Answer(route("GET", "/text", Read, "text"), endless)))
	if res := answerTo(t, request{method: "HEAD", url: url + "/text"}); res.StatusCode != 200 {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestHeartbeats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/live", nil)
		quiet := Events(func(ctx context.Context, send func(Event) error) error {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(40 * time.Second):
				return send(Event{Data: "late"})
			}
		})
		New(config()).stream(newAnswer(w, r, func(*answer) {}), r, quiet)
		if got := w.Body.String(); got != ":\n\n:\n\ndata: late\n\n" {
			t.Errorf("got %q, want two heartbeats in 40 s", got)
		}
	})
}

// A caller who has stopped reading is noticed by a heartbeat, at the latest.
func TestAFailedHeartbeatEndsTheStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder(), stuck: true}
		r := httptest.NewRequestWithContext(t.Context(), "GET", "/live", nil)
		quiet := Events(func(ctx context.Context, _ func(Event) error) error { <-ctx.Done(); return ctx.Err() })
		began := time.Now()
		New(config()).stream(newAnswer(w, r, func(*answer) {}), r, quiet)
		if took := time.Since(began); took != heartbeat+writeTimeout {
			t.Errorf("ended after %v, want %v", took, heartbeat+writeTimeout)
		}
	})
}

func TestAPanicInAFeedEndsItsHeartbeat(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // which reports a goroutine that is left over
		w := &slowWriter{ResponseRecorder: httptest.NewRecorder()}
		a := newAPI(t, config(), Answer(route("GET", "/live", Read, "live"), func(context.Context, *struct{}) (*Stream, error) {
			return Events(func(context.Context, func(Event) error) error { panic("a bug") }), nil
		}))
		defer func() {
			if recover() != http.ErrAbortHandler {
				t.Error("the answer is not broken off")
			}
		}()
		r := httptest.NewRequestWithContext(t.Context(), "GET", "http://localhost/live", nil)
		a.ServeHTTP(w, r)
	})
}

// slowWriter knows write deadlines, as a connection does; a stuck one takes nothing.
type slowWriter struct {
	*httptest.ResponseRecorder
	stuck bool

	mu       sync.Mutex
	deadline time.Time
}

func (s *slowWriter) SetWriteDeadline(at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.deadline = at
	return nil
}

func (s *slowWriter) Write(p []byte) (int, error) {
	s.mu.Lock()
	deadline := s.deadline
	s.mu.Unlock()
	if deadline.IsZero() {
		return 0, errors.New("a write without a deadline")
	}
	if s.stuck {
		time.Sleep(time.Until(deadline))
		return 0, context.DeadlineExceeded
	}
	return s.ResponseRecorder.Write(p)
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
