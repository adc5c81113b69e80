package discovery

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/zkschema"
)

const timeout = 10 * time.Second

// world is a cell, somebody who runs services in it, and a node that resolves.
type world struct {
	t        *testing.T
	writer   keeper.Session
	keeper   *memory.Keeper // of the node
	log      *bytes.Buffer
	resolver *Resolver

	changed change.Counter
	mu      sync.Mutex
	reader  keeper.Reader
}

func inWorld(t *testing.T, test func(t *testing.T, w *world)) {
	synctest.Test(t, func(t *testing.T) {
		server := memory.New()
		s, err := server.Keeper(time.Hour).Open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		w := &world{t: t, writer: s, keeper: server.Keeper(timeout), log: &bytes.Buffer{}}
		w.resolver = New(NewCell(w, slog.New(slog.NewTextHandler(w.log, nil))))
		w.connect()
		test(t, w)
	})
}

// connect opens the node's next session.
func (w *world) connect() {
	w.t.Helper()
	s, err := w.keeper.Open(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(s.Close)
	w.read(s)
}

func (w *world) read(r keeper.Reader) {
	w.mu.Lock()
	w.reader = r
	w.mu.Unlock()
	w.changed.Bump()
}

func (w *world) Reader() (keeper.Reader, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.reader == nil {
		return nil, keeper.ErrUnavailable
	}
	return w.reader, nil
}

func (w *world) ReaderChanged() <-chan struct{} { return w.changed.Changed() }

// say writes the status of an instance whose endpoint http has a port.
func (w *world) say(i int32, state zkschema.CloudnameState, port int) {
	w.t.Helper()
	data, err := zkschema.CloudnameStatus{State: state, Endpoints: zkschema.Endpoints(web(i), "host", map[string]int{"http": port})}.Encode()
	if err != nil {
		w.t.Fatal(err)
	}
	w.put(zkschema.Cloudname(web(i)), string(data))
}

func (w *world) put(at, data string) {
	w.t.Helper()
	err := keeper.MakeParents(w.t.Context(), w.writer, path.Dir(at))
	if err == nil {
		_, err = w.writer.Apply(w.t.Context(), keeper.CreateEphemeral(at, []byte(data)))
	}
	if errors.Is(err, keeper.ErrNodeExists) {
		_, err = w.writer.Apply(w.t.Context(), keeper.Set(at, []byte(data), keeper.AnyVersion))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) end(i int32) {
	w.t.Helper()
	if _, err := w.writer.Apply(w.t.Context(), keeper.Delete(zkschema.Cloudname(web(i)), keeper.AnyVersion)); err != nil {
		w.t.Fatal(err)
	}
}

// resolve checks which instances are found, by their numbers.
func (w *world) resolve(expression, want string) {
	w.t.Helper()
	got, err := w.resolver.Resolve(w.t.Context(), parse(w.t, expression), "client")
	if err != nil || numbers(got) != want {
		w.t.Errorf("%s: %q, %v; want %q", expression, numbers(got), err, want)
	}
}

func numbers(endpoints []api.Endpoint) string {
	var all []string
	for _, e := range endpoints {
		number, _, _ := strings.Cut(e.Coordinate, ".")
		all = append(all, number)
	}
	return strings.Join(all, " ")
}

func TestOnlyWhatRunsAndIsHealthyIsFound(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.resolve("all.web.borud.fbu", "")
		w.resolve("1.web.borud.fbu", "")
		for i, state := range []zkschema.CloudnameState{zkschema.CloudnameStarting, zkschema.CloudnameRunning, zkschema.CloudnameDraining,
			zkschema.CloudnameError, "MADE_UP", zkschema.CloudnameRunning} {
			w.say(int32(i), state, 80)
		}
		w.say(10, zkschema.CloudnameRunning, 80)
		w.resolve("all.web.borud.fbu", "1 5 10")
		w.resolve("http.all.web.borud.fbu", "1 5 10")
		w.resolve("https.all.web.borud.fbu", "")
		w.resolve("5.web.borud.fbu", "5")
		w.resolve("http.2.web.borud.fbu", "")
		w.say(5, zkschema.CloudnameDraining, 80)
		w.end(10)
		w.resolve("any.web.borud.fbu", "1")
	})
}

// What nobody can understand is passed over, and said once as long as it stays as it is.
func TestGarbageIsSkipped(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		said := func(want int) {
			t.Helper()
			for range 3 {
				w.resolve("all.web.borud.fbu", "1")
			}
			if got := strings.Count(w.log.String(), "cannot understand"); got != want {
				t.Errorf("said %d times, want %d: %s", got, want, w.log)
			}
		}
		w.say(1, zkschema.CloudnameRunning, 80)
		w.put(zkschema.Cloudname(web(2)), `"{\"state\":\"RUNNING\"`)
		said(1)
		w.put(zkschema.CloudnameService("web", "borud", "fbu")+"/NaN/status", "x")
		said(2)
		w.say(3, zkschema.CloudnameRunning, 0) // a port that is none
		said(3)
		w.put(zkschema.Cloudname(web(2)), "other garbage")
		said(4)
		w.end(2)
		said(4)
		w.put(zkschema.Cloudname(web(2)), "again")
		said(5)
		w.end(3)
		w.end(2)
		w.say(2, zkschema.CloudnameRunning, 80)
		w.resolve("all.web.borud.fbu", "1 2")
	})
}

func TestWithoutASession(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		w.say(1, zkschema.CloudnameRunning, 80)
		for name, lose := range map[string]func(){
			"cut off": w.keeper.Cut, "frozen": w.keeper.Freeze, "expired": func() { w.keeper.Heal(); w.keeper.Expire() },
			"none": func() { w.keeper.Heal(); w.read(nil) },
		} {
			w.keeper.Heal()
			w.connect()
			w.resolve("all.web.borud.fbu", "1")
			lose()
			began := time.Now()
			got, err := w.resolver.Resolve(t.Context(), parse(t, "all.web.borud.fbu"), "client")
			if got != nil || fault.KindOf(err) != fault.Unavailable || fault.SlugOf(err) != "zookeeper-unavailable" ||
				!strings.HasPrefix(err.Error(), "cannot resolve all.web.borud.fbu: ") {
				t.Errorf("%s: %v, %v (%s)", name, got, err, fault.SlugOf(err))
			}
			if took := time.Since(began); took > patience {
				t.Errorf("%s: it took %s", name, took)
			}
		}
	})
}

// follower gathers what a follower is told.
type follower struct {
	mu  sync.Mutex
	got []string
	end func() error
}

func (w *world) follow(expression string) *follower {
	f := &follower{}
	ctx, cancel := context.WithCancelCause(w.t.Context())
	ended := make(chan error, 1)
	go func() {
		ended <- w.resolver.Follow(ctx, parse(w.t, expression), "client", func(endpoints []api.Endpoint) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			f.got = append(f.got, numbers(endpoints))
			return nil
		})
	}()
	f.end = func() error {
		cancel(errEnough)
		return <-ended
	}
	return f
}

var errEnough = errors.New("the follower has heard enough")

// hears checks what came since it was last asked.
func (f *follower) hears(t *testing.T, when string, want ...string) {
	t.Helper()
	f.mu.Lock()
	got := f.got
	f.got = nil
	f.mu.Unlock()
	if !slices.Equal(got, want) {
		t.Errorf("%s: it hears %q, want %q", when, got, want)
	}
}

func TestFollow(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		all, one := w.follow("http.all.web.borud.fbu"), w.follow("2.web.borud.fbu")
		defer func() {
			for _, f := range []*follower{all, one} {
				if err := f.end(); err != errEnough {
					t.Errorf("Follow = %v", err)
				}
			}
		}()
		const at = 2 * gap // at once, but for what is gathered
		step := func(when string, do func(), ofAll, ofOne []string) {
			t.Helper()
			do()
			time.Sleep(at)
			all.hears(t, when, ofAll...)
			one.hears(t, when, ofOne...)
			time.Sleep(time.Second)
		}
		step("at first", func() {}, []string{""}, []string{""})
		step("the first one starts", func() { w.say(1, zkschema.CloudnameStarting, 80) }, nil, nil)
		step("it runs", func() { w.say(1, zkschema.CloudnameRunning, 80) }, []string{"1"}, nil)
		step("another runs", func() { w.say(2, zkschema.CloudnameRunning, 80) }, []string{"1 2"}, []string{"2"})
		step("it is at another port", func() { w.say(2, zkschema.CloudnameRunning, 81) }, []string{"1 2"}, []string{"2"})
		step("it says the same again", func() { w.say(2, zkschema.CloudnameRunning, 81) }, nil, nil)
		step("it is drained", func() { w.say(2, zkschema.CloudnameDraining, 81) }, []string{"1"}, []string{""})
		step("the first one ends", func() { w.end(1) }, []string{""}, nil)
	})
}

// A follower of a service that changes all the time hears of it now and then, and how it ended.
func TestAStormIsNotPassedOn(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		f := w.follow("all.web.borud.fbu")
		defer f.end()
		const storm = 10 * time.Second
		for i := range int(storm / (10 * time.Millisecond)) {
			w.say(int32(i%50), []zkschema.CloudnameState{zkschema.CloudnameRunning, zkschema.CloudnameError}[i/50%2], 80)
			time.Sleep(10 * time.Millisecond)
		}
		w.say(77, zkschema.CloudnameRunning, 80)
		time.Sleep(2 * gap)
		f.mu.Lock()
		defer f.mu.Unlock()
		if n := len(f.got); n > int(storm/gap)+10 || f.got[n-1] != "77" {
			t.Errorf("it hears %d times, lastly of %q; want at most %d, and 77", n, f.got[n-1], storm/gap)
		}
	})
}

// A follower keeps what it knows while nobody can be asked, and learns what has changed
// meanwhile.
func TestFollowOverLostSessions(t *testing.T) {
	for name, c := range map[string]struct{ lose, heal func(*world) }{
		"a cut within the session": {func(w *world) { w.keeper.Cut() }, func(w *world) { w.keeper.Heal() }},
		"frozen servers":           {func(w *world) { w.keeper.Freeze() }, func(w *world) { w.keeper.Heal() }},
		"an expired session":       {func(w *world) { w.keeper.Expire() }, (*world).connect},
		"no session for a while":   {func(w *world) { w.read(nil) }, (*world).connect},
		"lost watches":             {func(w *world) { w.keeper.LoseWatches() }, func(*world) { time.Sleep(lookAgain) }},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.say(1, zkschema.CloudnameRunning, 80)
				f := w.follow("all.web.borud.fbu")
				defer f.end()
				time.Sleep(time.Second)
				f.hears(t, "at first", "1")
				c.lose(w)
				w.say(2, zkschema.CloudnameRunning, 80)
				time.Sleep(timeout / 2)
				f.hears(t, "while nobody can be asked")
				c.heal(w)
				time.Sleep(2 * tryAgain)
				f.hears(t, "afterwards", "1 2")
				w.say(1, zkschema.CloudnameError, 80)
				time.Sleep(2 * gap)
				f.hears(t, "a change after that", "2")
			})
		})
	}
}

func TestFollowEndsWithWhoListens(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		if err := w.resolver.Follow(t.Context(), parse(t, "any.web.borud.fbu"), "", func([]api.Endpoint) error { return errEnough }); err != errEnough {
			t.Errorf("Follow = %v", err)
		}
	})
}

// Clients that come and go leave nothing behind at the keeper.
func TestWatchesAreUsedAgain(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		for range 20 {
			f := w.follow("any.web.borud.fbu")
			time.Sleep(time.Second)
			f.hears(t, "at first", "")
			if err := f.end(); err != errEnough {
				t.Errorf("Follow = %v", err)
			}
		}
		if len(w.resolver.spare) != 1 {
			t.Errorf("there are %d watches", len(w.resolver.spare))
		}
	})
}

// slow is a reader whose servers take a while for each answer.
type slow struct{ keeper.Reader }

func (s slow) Get(ctx context.Context, path string, w *keeper.Watch) ([]byte, keeper.Stat, error) {
	time.Sleep(100 * time.Millisecond)
	return s.Reader.Get(ctx, path, w)
}

// A service of many instances is found within the patience of one look.
func TestManyInstancesFromSlowServers(t *testing.T) {
	inWorld(t, func(t *testing.T, w *world) {
		const instances = 300
		var want []string
		for i := range int32(instances) {
			w.say(i, zkschema.CloudnameRunning, 80)
			want = append(want, fmt.Sprint(i))
		}
		r, err := w.Reader()
		if err != nil {
			t.Fatal(err)
		}
		w.read(slow{r})
		w.resolve("all.web.borud.fbu", strings.Join(want, " "))
	})
}
