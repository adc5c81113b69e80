package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
)

// A daemon that goes away in every way that it can: whoever follows a log gets each byte once.
func TestFollowingALogLosesAndDoublesNothing(t *testing.T) {
	var log strings.Builder
	for i := range 200 {
		fmt.Fprintf(&log, "line %d\n", i)
	}
	text := log.String()
	var request atomic.Int32
	code, out, errs := run(t, func(w http.ResponseWriter, r *http.Request) {
		offset, _ := strconv.Atoi(r.URL.Query().Get("offset"))
		n := request.Add(1)
		if want := n == 1; r.URL.Query().Has("tail") != want || r.URL.Query().Has("offset") == want {
			t.Errorf("request %d asks for %s", n, r.URL.RawQuery)
		}
		switch {
		case n == 1:
			offset = len(text) - 1000 // what tail was
		case offset >= len(text):
			problem(w, 404, "service-not-found", nil)
			return
		case n%5 == 0:
			problem(w, 503, "shutting-down", nil)
			return
		}
		w.Header().Set("Nodee-Log-Offset", strconv.Itoa(offset))
		answer(w, 200, "text/plain; charset=utf-8", text[offset:min(len(text), offset+77)])
		if n%3 == 0 {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler) // cut off, with what was sent arriving or not
		}
	}, "service", "logs", "1.a.b.c", "--follow", "--tail", "5")
	if want := text[len(text)-1000:]; code != 0 || out != want {
		t.Errorf("exit code %d; %d bytes came, want %d", code, len(out), len(want))
	}
	if !strings.HasSuffix(errs, "nodee: 1.a.b.c was removed\n") {
		t.Errorf("errors are %q", errs)
	}
}

func TestFollowingEventsResumesAfterTheLast(t *testing.T) {
	var request atomic.Int32
	code, out, _ := run(t, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Accept") == "application/json" {
			answer(w, 200, "application/json", `{"events":[{"seq":4},{"seq":5}]}`)
			return
		}
		after, _ := strconv.Atoi(r.Header.Get("Last-Event-ID"))
		n := request.Add(1)
		if after >= 12 {
			problem(w, 404, "service-not-found", nil)
			return
		}
		var body strings.Builder
		for seq := after + 1; seq <= after+3; seq++ {
			body.WriteString(fmt.Sprintf("id: %d\ndata: {\"seq\":%d}\n\n:\n\n", seq, seq))
		}
		answer(w, 200, "text/event-stream", body.String()+"data: {\"se") // the last one is cut off
		if n%2 == 0 {
			panic(http.ErrAbortHandler)
		}
	}, "service", "events", "1.a.b.c", "--follow", "--tail", "2", "-o", "json")
	var want strings.Builder
	for seq := 4; seq <= 12; seq++ {
		want.WriteString(fmt.Sprintf("{\"seq\":%d}\n", seq))
	}
	if code != 0 || out != want.String() {
		t.Errorf("exit code %d, output\n%s, want\n%s", code, out, want.String())
	}
}

func TestInterruptEndsFollowingWell(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Nodee-Log-Offset", "0")
		answer(w, 200, "text/plain", "hello\n")
		if err := http.NewResponseController(w).Flush(); err != nil {
			t.Error(err)
		}
		interrupt()
		<-r.Context().Done()
	}))
	defer server.Close()
	code, _, errs := runAt(ctx, "service", "logs", "1.a.b.c", "--follow", "--addr", server.URL, "--prefix", t.TempDir())
	if code != 0 || errs != "" {
		t.Errorf("exit code %d, errors %q", code, errs)
	}
}

// What cannot pass by itself is not tried again.
func TestFollowingGivesUp(t *testing.T) {
	for name, c := range map[string]struct {
		status, code int
		after        int32 // so many answers that are fine
	}{
		"not there at first": {404, 3, 0}, "away at first": {503, 1, 0}, "not allowed": {401, 6, 2},
	} {
		var request atomic.Int32
		code, _, errs := run(t, func(w http.ResponseWriter, _ *http.Request) {
			n := request.Add(1)
			if n > c.after {
				problem(w, c.status, "x", nil)
				return
			}
			w.Header().Set("Nodee-Log-Offset", "0")
			answer(w, 200, "text/plain", "")
		}, "service", "logs", "1.a.b.c", "--follow")
		if code != c.code || request.Load() != c.after+1 {
			t.Errorf("%s: exit code %d after %d requests, want %d after %d: %s", name, code, request.Load(), c.code, c.after+1, errs)
		}
	}
}
