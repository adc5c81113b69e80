package fetch

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

func goarch() string { return runtime.GOARCH }

func serveRepo(t testing.TB, r *repo) string {
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	return s.URL
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !so(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// held makes a repository keep archives back until release is called.
func held(t testing.TB, b *bench) (release func()) {
	gate := make(chan struct{})
	release = sync.OnceFunc(func() { close(gate) })
	t.Cleanup(release) // before the server is closed, which waits for its handlers
	b.repos[0].hook = func(_ http.ResponseWriter, r *http.Request) bool {
		if strings.HasSuffix(r.URL.Path, ".zip") {
			select {
			case <-gate:
			case <-r.Context().Done():
			}
		}
		return false
	}
	return release
}

func (b *bench) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if fl := b.flights[web]; fl != nil {
		return fl.waiting
	}
	return 0
}

func TestFiftyAtOnceMakeOneDownload(t *testing.T) {
	b := newBench(t, "central")
	data := goodZip(t)
	b.repos[0].files[zipPath] = data
	release := held(t, b)
	var created atomic.Int32
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			r := b.request(t)
			if i%5 == 0 {
				r.SHA256 = sumOf(data) // asked for in another way: waits for the first, and is content with it
			}
			a, c, err := b.Install(t.Context(), r)
			if err != nil || a.SHA256 != sumOf(data) {
				t.Errorf("%+v, %v", a, err)
			}
			if c {
				created.Add(1)
			}
		})
	}
	eventually(t, "many wait", func() bool { return b.waiting() >= 10 })
	release()
	all.Wait()
	if n := b.repos[0].count(zipPath); n != 1 || created.Load() != 1 {
		t.Errorf("%d downloads, created told %d times; want 1 and 1", n, created.Load())
	}
	b.wantClean(t)
}

func TestADownloadOutlivesWhoBeganIt(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = goodZip(t)
	release := held(t, b)
	gone := errors.New("gone home")
	ctx, cancel := context.WithCancelCause(t.Context())
	first := make(chan error, 1)
	go func() {
		_, _, err := b.Install(ctx, b.request(t))
		first <- err
	}()
	eventually(t, "the first waits", func() bool { return b.waiting() == 1 })
	second := make(chan error, 1)
	go func() {
		_, _, err := b.Install(t.Context(), b.request(t))
		second <- err
	}()
	eventually(t, "the second waits", func() bool { return b.waiting() == 2 })
	cancel(gone)
	if err := <-first; !errors.Is(err, gone) {
		t.Errorf("the first: %v, want why it left", err)
	}
	release()
	if err := <-second; err != nil {
		t.Errorf("the second: %v", err)
	}
	if n := b.repos[0].count(zipPath); n != 1 {
		t.Errorf("%d downloads, want 1", n)
	}
}

func TestADownloadThatNobodyWaitsForEnds(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = goodZip(t)
	release := held(t, b)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		_, _, err := b.Install(ctx, b.request(t))
		done <- err
	}()
	eventually(t, "it is asked for", func() bool { return b.repos[0].count(zipPath) == 1 })
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	eventually(t, "the download ends", func() bool { _, busy := b.Progress(web); return !busy })
	b.wantNothing(t)
	release()
	if _, created, err := b.Install(t.Context(), b.request(t)); err != nil || !created {
		t.Errorf("asked for again: created %v, %v", created, err)
	}
}

func TestWhoComesWhileADesertedDownloadEndsGetsAnother(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = goodZip(t)
	release := held(t, b)
	r, err := b.check(b.request(t))
	if err != nil {
		t.Fatal(err)
	}
	fl, boarded, began, err := b.board(r)
	if err != nil || !boarded || !began {
		t.Fatal(boarded, began, err)
	}
	b.mu.Lock() // so that the flight cannot end before the next one comes
	fl.waiting, fl.deserted = 0, true
	b.mu.Unlock()
	if other, boarded, _, _ := b.board(r); other != fl || boarded {
		t.Error("boarded a flight that comes to its end")
	}
	fl.end(errNobodyWaits)
	release()
	if _, _, err := b.Install(t.Context(), b.request(t)); err != nil {
		t.Error(err)
	}
}

func TestCloseEndsDownloads(t *testing.T) {
	b := newBench(t, "central")
	b.repos[0].files[zipPath] = goodZip(t)
	held(t, b)
	done := make(chan error, 1)
	go func() {
		_, _, err := b.Install(t.Context(), b.request(t))
		done <- err
	}()
	eventually(t, "it is asked for", func() bool { return b.repos[0].count(zipPath) == 1 })
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-done; fault.KindOf(err) != fault.Unavailable {
		t.Errorf("%v, want unavailable", err)
	}
	if _, _, err := b.Install(t.Context(), b.request(t)); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("after Close: %v, want unavailable", err)
	}
	b.wantNothing(t)
}

func TestProgressCanBeReadAtAnyTime(t *testing.T) {
	b := newBench(t, "central")
	data := goodZip(t)
	gate := make(chan struct{})
	b.repos[0].hook = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != zipPath {
			return false
		}
		w.Header().Set("Content-Length", strconv.Itoa(len(data)))
		w.Write(data[:100])
		w.(http.Flusher).Flush()
		<-gate
		w.Write(data[100:])
		return true
	}
	if _, busy := b.Progress(web); busy {
		t.Error("progress of nothing")
	}
	done := make(chan error, 1)
	go func() {
		_, _, err := b.Install(t.Context(), b.request(t))
		done <- err
	}()
	want := Progress{Phase: "downloading", Done: 100, Total: int64(len(data))}
	eventually(t, "a part is there", func() bool { p, busy := b.Progress(web); return busy && p == want })
	close(gate)
	if err := <-done; err != nil {
		t.Error(err)
	}
	if _, busy := b.Progress(web); busy {
		t.Error("it is never done")
	}
}
