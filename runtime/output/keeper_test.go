package output

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/group"
)

// journal collects what a keeper logs.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// keeping makes a keeper of one log folder, which does not run yet.
func keeping(t *testing.T, b Bounds) (*Keeper, *Stream, *journal) {
	t.Helper()
	said := &journal{}
	dir := t.TempDir()
	k := NewKeeper(dir, slog.New(slog.NewTextHandler(said, nil)))
	k.Attend(dir, b)
	s, err := k.Open(dir, Stdout)
	if err != nil {
		t.Fatal(err)
	}
	return k, s, said
}

// running lets a keeper run until the test ends.
func running(t *testing.T, k *Keeper) {
	t.Helper()
	g := group.New(t.Context())
	g.Go("keeper", k.Run)
	t.Cleanup(func() {
		g.End(nil)
		if err := g.Wait(); err != nil {
			t.Errorf("the keeper ended with %v", err)
		}
	})
}

// tended brings a stream into its bounds at once.
func tended(t *testing.T, k *Keeper, s *Stream, b Bounds) {
	t.Helper()
	if err := k.hands.tend(t.Context(), s.ledger, b, 0); err != nil {
		t.Fatal(err)
	}
}

// eventually waits for something to become true.
func eventually(t *testing.T, what string, true func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !true(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in 20 seconds it has not come true that %s", what)
		}
	}
}

// looked waits until a keeper has seen all that is in a stream and looks no more.
func looked(t *testing.T, s *Stream) {
	t.Helper()
	eventually(t, "the log was looked at", func() bool {
		info, err := os.Stat(s.path())
		if err != nil {
			return false
		}
		s.ledger.mu.Lock()
		defer s.ledger.mu.Unlock()
		return s.ledger.index.last.offset == s.ledger.v.base+info.Size() && len(s.ledger.index.pending) == 0
	})
}

func TestAKeeperRotatesByItself(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 2, Compress: true}
	k, s, said := keeping(t, b)
	running(t, k)
	var text strings.Builder
	for i := range 3 { // written when there was no file, when it was just written, and after a silence
		part := numbered(i*800, (i+1)*800)
		text.WriteString(part)
		add(t, s, part)
		if i == 0 {
			k.Prepare(t.Context(), s.ledger.dir)
		}
		if i == 1 {
			looked(t, s)
		}
		eventually(t, "it is rotated", func() bool { return onDisk(t, s) <= b.MaxSize+2*grain })
	}
	back, begin, _ := all(t, s, 0)
	if back != text.String()[begin:] || len(archives(t, s)) != 2 {
		t.Errorf("%d bytes from %d, %d archives", len(back), begin, len(archives(t, s)))
	}
	// Other bounds hold at once.
	b.Keep = 1
	k.Attend(s.ledger.dir, b)
	eventually(t, "one archive is left", func() bool { return len(archives(t, s)) == 1 })
	b.MaxSize = 8 << 10
	k.Attend(s.ledger.dir, b)
	eventually(t, "the file is shorter", func() bool { return onDisk(t, s) <= b.MaxSize+2*grain })
	if said.String() != "" {
		t.Errorf("it was said: %s", said)
	}
}

func TestAForgottenLogIsLeftAlone(t *testing.T) {
	b := Bounds{MaxSize: 16 << 10, Keep: 2}
	k, s, _ := keeping(t, b)
	running(t, k)
	add(t, s, "one\n")
	k.Prepare(t.Context(), s.ledger.dir)
	looked(t, s)
	k.Forget(s.ledger.dir)
	if err := os.RemoveAll(s.ledger.dir); err != nil {
		t.Fatal(err)
	}
	if len(k.kept) != 0 {
		t.Errorf("%d logs are still kept", len(k.kept))
	}
	if err := s.ledger.settle(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(s.ledger.dir); err == nil {
		t.Error("the folder is there again")
	}
	// One of the same name begins anew.
	if err := os.MkdirAll(s.ledger.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	k.Attend(s.ledger.dir, b)
	again, err := k.Open(s.ledger.dir, Stdout)
	if err != nil {
		t.Fatal(err)
	}
	text := numbered(0, 800)
	add(t, again, text)
	k.Prepare(t.Context(), s.ledger.dir)
	eventually(t, "the new one is rotated", func() bool { return len(archives(t, again)) > 0 })
	if back, _, _ := all(t, again, 0); back != text {
		t.Errorf("%d bytes are read back of %d", len(back), len(text))
	}
}

func TestWithoutTheKernelsHelpLogsArePolled(t *testing.T) {
	k, s, _ := keeping(t, Bounds{MaxSize: 16 << 10, Keep: 2})
	o := newLooker(k, nil)
	add(t, s, "one\n")
	o.hear()
	for len(o.busy) > 0 {
		o.again()
	}
	if len(o.polls) != 1 || !strings.Contains(k.Feature(), "1 logs are looked at every 10s only") {
		t.Errorf("%d logs are polled, the feature reads %q", len(o.polls), k.Feature())
	}
}

// A silent log is watched, and nothing else is done about it.
func TestSilentLogsCostNothing(t *testing.T) {
	k, s, _ := keeping(t, Bounds{MaxSize: 16 << 10, Keep: 2})
	w, err := newWatcher()
	if err != nil {
		t.Fatal(err)
	}
	defer w.f.Close()
	o := newLooker(k, w)
	add(t, s, "one\n")
	o.hear()
	for range newborn + 1 { // so long for stderr, which is not there
		o.again()
	}
	if len(o.busy) != 0 || len(o.polls) != 0 || len(o.armed) != 1 {
		t.Fatalf("%d are busy, %d polled, %d watched; want 0, 0, 1", len(o.busy), len(o.polls), len(o.armed))
	}
	events := make(chan []int32)
	g := group.New(t.Context())
	g.Go("watch", func(ctx context.Context) error { return w.watch(ctx, events) })
	defer func() {
		g.End(nil)
		if err := g.Wait(); err != nil {
			t.Error(err)
		}
	}()
	for range 100 {
		add(t, s, "two\n")
	}
	o.written(<-events)
	if len(o.busy) != 1 || len(o.armed) != 0 {
		t.Errorf("%d are busy, %d watched; want 1, 0", len(o.busy), len(o.armed))
	}
	select {
	case more := <-events:
		t.Errorf("a second wake-up: %v", more)
	case <-time.After(50 * time.Millisecond):
	}
	o.again()
	o.again()
	if len(o.busy) != 0 || len(o.armed) != 1 {
		t.Errorf("silent again, %d are busy, %d watched; want 0, 1", len(o.busy), len(o.armed))
	}
	stderr := k.find(s.ledger.dir, Stderr)
	o.armed[77], stderr.sight.number = stderr, 77
	o.written([]int32{overflow})
	if len(o.armed) != 0 || len(o.busy) != 2 {
		t.Errorf("after lost events %d are watched, %d busy; want 0, 2", len(o.armed), len(o.busy))
	}
}

// A log whose name goes away, and the one that its service begins at its next start, are
// noticed by themselves: a start is told of only where there is no log.
func TestALogThatIsReplacedIsWatchedAgain(t *testing.T) {
	for how, away := range map[string]func(string) error{
		"moved":   func(path string) error { return os.Rename(path, path+".old") },
		"removed": os.Remove,
	} {
		k, s, said := keeping(t, Bounds{MaxSize: 16 << 10, Keep: 2})
		w, err := newWatcher()
		if err != nil {
			t.Fatal(err)
		}
		o := newLooker(k, w)
		q := k.find(s.ledger.dir, Stdout)
		add(t, s, "one\n")
		held, err := os.Open(s.path()) // else the new one may be given its number, in the same tick of the clock
		if err != nil {
			t.Fatal(err)
		}
		o.hear()
		o.again()
		first := q.sight.number
		k.Prepare(t.Context(), s.ledger.dir)
		if first == 0 || k.told[q] {
			t.Errorf("watched as %d, and told of a start: %v; want it watched, and not told", first, k.told[q])
		}
		if err := away(s.path()); err != nil {
			t.Fatal(err)
		}
		o.written(oneRead(t, w))
		for range newborn {
			o.again()
		}
		k.Prepare(t.Context(), s.ledger.dir)
		if !k.told[q] {
			t.Errorf("%s: a start that brings a new log is not told of", how)
		}
		o.hear()
		add(t, s, "two\n")
		o.again()
		for q := k.dequeue(); q != nil; q = k.dequeue() { // which notes that it is another one
			k.tend(t.Context(), q)
		}
		o.again()
		if q.sight.number == 0 || q.sight.number == first {
			t.Errorf("%s: the new log is watched as %d, the old one was as %d", how, q.sight.number, first)
		}
		if n := strings.Count(said.String(), removed); n != 1 {
			t.Errorf("%s: that is said %d times: %s", how, n, said)
		}
		add(t, s, "three\n")
		if got := oneRead(t, w); len(got) == 0 || o.armed[got[0]] != q {
			t.Errorf("%s: of the new log the kernel tells %v", how, got)
		}
		held.Close()
		w.f.Close()
	}
}

// oneRead reads what the kernel tells next.
func oneRead(t *testing.T, w *watcher) []int32 {
	t.Helper()
	buf := make([]byte, 4<<10)
	for end := time.Now().Add(10 * time.Second); ; {
		if err := w.f.SetReadDeadline(end); err != nil {
			t.Fatal(err)
		}
		n, err := w.f.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if got := written(buf[:n]); len(got) > 0 {
			return got
		}
	}
}

// What goes wrong at each look is said once.
func TestTroubleIsSaidOnce(t *testing.T) {
	k, s, said := keeping(t, Bounds{MaxSize: 16 << 10, Keep: 2, MaxAge: time.Hour})
	o := newLooker(k, nil)
	add(t, s, "one\n")
	o.hear()
	q := k.find(s.ledger.dir, Stdout)
	q.ledger.index = index{dir: s.ledger.dir, stream: "odd", written: 1}
	if err := os.Mkdir(q.ledger.index.path(), 0o700); err != nil { // what cannot be read
		t.Fatal(err)
	}
	for range 3 {
		o.look(q)
	}
	if n := strings.Count(said.String(), "\n"); n != 1 {
		t.Errorf("said in %d lines:\n%s", n, said)
	}
}
