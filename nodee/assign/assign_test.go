package assign

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// What is assigned runs, what is changed is put anew, what is not named any more goes; and what
// is as it should be is touched by nothing: not by another version of the document, not by a
// restart, not by another session or leader.
func TestTheAssignmentIsFollowed(t *testing.T) {
	bubble(t, func(h *host) {
		h.expect("without a document", "")
		if s := h.a.State(); s.Version != -1 {
			t.Errorf("version %d is applied, none is there", s.Version)
		}
		one, two := h.web(1, 1, "10"), h.web(2, 1, "10")
		h.assign(document(1, one, two))
		h.expect("the first document", "running 1.web.borud.fbu 10 1, running 2.web.borud.fbu 10 1")
		changed := h.web(1, 2, "20")
		h.assign(document(1, changed, two))
		h.expect("a changed one", "running 1.web.borud.fbu 20 2")
		h.assign(document(2, changed, two))
		h.restart()
		h.session(h.open())
		h.expect("another leader, a restart, another session", "")
		if s := h.a.State(); s.Version != 2 || s.Refused != "" || len(s.Units) > 0 {
			t.Errorf("%+v, want version 2", s)
		}
		two.Want = service.Drained
		h.assign(document(2, changed, two))
		h.expect("one that is to be drained", "drained 2.web.borud.fbu 10 1")
		h.assign(document(2, changed))
		h.expect("one that is named no more", "remove 2.web.borud.fbu")
		h.assign(document(2, changed, h.web(2, 5, "10")))
		h.expect("named again while it ends", "")
		h.change(func() { delete(h.have, "2.web.borud.fbu") })
		h.expect("when it has ended", "running 2.web.borud.fbu 10 5")
		h.remove(cell.Assignment("n1"))
		h.restart()
		h.expect("no document says nothing", "")
		h.assign(document(2))
		h.expect("one without units stops all", "remove 1.web.borud.fbu, remove 2.web.borud.fbu")
	})
}

// Another cell, and one that has gone back, are refused, once, until a person says otherwise.
func TestAnotherCellIsRefused(t *testing.T) {
	bubble(t, func(h *host) {
		one := h.web(1, 1, "10")
		h.assign(document(5, one))
		h.did()
		stranger := document(9)
		stranger.Cell = "c-2"
		for _, c := range []struct {
			doc  zkschema.Assignment
			want string
		}{{stranger, `the id "c-2", this node has followed "c-1"`}, {document(4), "epoch 4, this node has followed epoch 5"}} {
			h.assign(c.doc)
			h.restart()
			h.expect(c.want, "")
			time.Sleep(10 * time.Minute)
			if s := h.a.State(); !strings.HasPrefix(s.Refused, "cell changed: ") || !strings.Contains(s.Refused, c.want) || s.Version != 0 {
				t.Errorf("%+v; want it refused: %s", s, c.want)
			}
		}
		h.stop()
		if said := strings.Count(h.log.String(), "epoch 4"); said != 2 { // once by each daemon
			t.Errorf("it was said %d times:\n%s", said, &h.log)
		}
		h.up()
		if err := h.a.AcceptCell(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		h.expect("accepted", "remove 1.web.borud.fbu")
		if s := h.a.State(); s.Refused != "" || s.Version != 2 {
			t.Errorf("accepted: %+v", s)
		}
		h.assign(document(3, one))
		if s := h.a.State(); !strings.Contains(s.Refused, "epoch 3") {
			t.Errorf("after that an older one: %+v", s)
		}
	})
}

// A server that is behind the others for a moment alarms nobody; one that stays so does.
func TestAServerThatLagsBehind(t *testing.T) {
	bubble(t, func(h *host) {
		one := h.web(1, 1, "10")
		h.assign(document(1, one))
		h.assign(document(1, one))
		lags := func(yes bool) {
			h.mu.Lock()
			h.lags = yes
			h.mu.Unlock()
			h.link.Bump()
		}
		lags(true)
		time.Sleep(10 * time.Second)
		lags(false)
		time.Sleep(2 * lag)
		lags(true)
		time.Sleep(10 * time.Second)
		if s := h.a.State(); s.Refused != "" {
			t.Errorf("behind for a moment: %+v", s)
		}
		time.Sleep(lookAgain)
		if s := h.a.State(); !strings.Contains(s.Refused, "version 0, older than version 1") {
			t.Errorf("behind for long: %+v", s)
		}
		lags(false)
		synctest.Wait()
		if s := h.a.State(); s.Refused != "" {
			t.Errorf("up to date again: %+v", s)
		}
		h.expect("all the while", "running 1.web.borud.fbu 10 1")
		h.stop()
		if said := strings.Count(h.log.String(), "level=ERROR"); said != 1 {
			t.Errorf("it was said %d times:\n%s", said, &h.log)
		}
	})
}

// A cell that has no id in its documents has one in its settings.
func TestTheCellsSettingsNameIt(t *testing.T) {
	bubble(t, func(h *host) {
		settings := func(id string) {
			data, err := zkschema.Settings{ID: id}.Encode()
			if err != nil {
				t.Fatal(err)
			}
			h.write(cell.Settings(), data)
		}
		settings("c-7")
		doc := document(1, h.web(1, 1, "10"))
		doc.Cell = ""
		h.assign(doc)
		h.expect("the first", "running 1.web.borud.fbu 10 1")
		settings("c-8")
		synctest.Wait()
		if s := h.a.State(); !strings.Contains(s.Refused, `the id "c-8", this node has followed "c-7"`) {
			t.Errorf("another id: %+v", s)
		}
	})
}

// Without ZooKeeper, what was assigned last is brought about all the same.
func TestTheLastAssignmentIsOnDisk(t *testing.T) {
	bubble(t, func(h *host) {
		one := h.web(1, 1, "10")
		h.refuse[one.Name] = errors.New("the daemon is killed before this is recorded")
		drain := &zkschema.AssignedDrain{Since: time.Now().UTC(), Deadline: time.Now().UTC().Add(time.Hour), Why: "new disks"}
		doc := document(1, one, h.web(2, 1, "20"))
		doc.Drain = drain
		h.assign(doc)
		h.expect("as far as it came", "try 1.web.borud.fbu, running 2.web.borud.fbu 20 1")
		h.stop()
		delete(h.refuse, one.Name)
		h.session(nil)
		h.up()
		if s := h.a.State(); !reflect.DeepEqual(s.Drain, drain) {
			t.Errorf("before anything is done the drain is %+v", s.Drain)
		}
		h.expect("the next daemon", "running 1.web.borud.fbu 10 1")
		if s := h.a.State(); s.Version != 0 || len(s.Units) > 0 {
			t.Errorf("%+v", s)
		}
		h.assign(document(1))
		files, err := os.ReadDir(filepath.Join(h.dir, "specs"))
		if err != nil || len(files) != 2 {
			t.Errorf("specs on disk: %v, %v", files, err)
		}
		h.session(h.open())
		h.expect("when it is back", "remove 1.web.borud.fbu, remove 2.web.borud.fbu")
		if files, err = os.ReadDir(filepath.Join(h.dir, "specs")); err != nil || len(files) != 0 {
			t.Errorf("specs that nothing names are on disk: %v, %v", files, err)
		}
	})
}

// What cannot be read, and what cannot be used, changes nothing but what is told of it.
func TestWhatCannotBeFollowed(t *testing.T) {
	bubble(t, func(h *host) {
		one, two := h.web(1, 1, "10"), h.web(2, 1, "10")
		h.assign(document(1, one))
		h.did()
		for text, want := range map[string]string{
			`{"schema":2,"units":{}}`: "newer schema",
			`{"schema":1,"units":[`:   "cannot read",
			`{"schema":1,"cell":"c-1","epoch":1,"units":[{"name":"1.a.b.c"},{"name":"1.a.b.c"}]}`: "names 1.a.b.c twice",
		} {
			h.write(cell.Assignment("n1"), []byte(text))
			h.expect(text, "")
			if s := h.a.State(); !strings.Contains(s.Refused, want) || s.Version != 0 {
				t.Errorf("%s: %+v, want %s", text, s, want)
			}
		}
		told := func(when string, want zkschema.Unit) {
			t.Helper()
			synctest.Wait()
			units := h.a.State().Units
			if len(units) != 1 || units[0].Name != want.Name || units[0].State != want.State || units[0].Generation != want.Generation || !strings.Contains(units[0].Why, want.Why) {
				t.Errorf("%s: %+v, want %+v", when, units, want)
			}
		}
		digest, data := h.spec(`{"command":"sleep","args":["99"]}`)
		two.Spec = digest
		h.assign(document(1, one, two))
		h.expect("a spec that is not there", "")
		told("a spec that is not there", zkschema.Unit{Name: two.Name, State: service.StatePending, Why: "cannot fetch its spec"})
		h.write(cell.Spec(digest), []byte(`{}`))
		time.Sleep(time.Hour)
		told("a spec with another digest", zkschema.Unit{Name: two.Name, State: service.StatePending, Why: "another digest"})
		h.write(cell.Spec(digest), data)
		time.Sleep(2 * longestPause)
		h.expect("a spec that has come", "running 2.web.borud.fbu 99 1")
		h.refuse[two.Name] = fault.Fields("the spec cannot be used on this host", []fault.Field{{Location: "spec.user", Message: "there is no user x"}})
		two.Generation = 4
		h.assign(document(1, one, two))
		h.expect("one that this host cannot run", "try 2.web.borud.fbu")
		told("one that this host cannot run", zkschema.Unit{Name: two.Name, State: service.StateFailed, Generation: 4, Why: "spec.user: there is no user x"})
		h.assign(document(1, one))
		h.expect("what is not wanted is not tried", "remove 2.web.borud.fbu")
		if s := h.a.State(); len(s.Units) > 0 || s.Refused != "" {
			t.Errorf("%+v", s)
		}
	})
}

// A spec that nobody could make sense of is told of as failed.
func TestAStrangeSpec(t *testing.T) {
	bubble(t, func(h *host) {
		u := unit("1.web.borud.fbu", 2)
		data := []byte(`{"command":"true","from_the_future":1}`)
		u.Spec = digestOf(t, data)
		h.write(cell.Spec(u.Spec), data)
		h.assign(document(1, u))
		units := h.a.State().Units
		if len(units) != 1 || units[0].State != service.StateFailed || units[0].Generation != 2 || !strings.Contains(units[0].Why, "from_the_future") {
			t.Errorf("%+v", units)
		}
	})
}

// A local service keeps its name, and gives it up when it is removed.
func TestALocalServiceWins(t *testing.T) {
	bubble(t, func(h *host) {
		u := h.web(1, 1, "10")
		h.change(func() { h.have[u.Name] = Have{Local: true} })
		h.assign(document(1, u))
		h.expect("in conflict", "")
		if s := h.a.State(); s.Conflicts[u.Name] != u.Owner || len(s.Units) > 0 || s.Version != 0 {
			t.Errorf("%+v", s)
		}
		h.change(func() { delete(h.have, u.Name) })
		h.expect("when the local one is gone", "running 1.web.borud.fbu 10 1")
		if s := h.a.State(); len(s.Conflicts) > 0 {
			t.Errorf("still in conflict: %+v", s)
		}
	})
}

// What will be needed is fetched, again and again where that fails, and given up when nobody
// wants it any more.
func TestPrefetch(t *testing.T) {
	bubble(t, func(h *host) {
		h.away["g:b:1"] = fault.New(fault.Upstream, "repository-failed", "the repository is away")
		doc := document(1)
		doc.Prefetch = []string{"g:a:1", "g:b:1"}
		h.assign(doc)
		if s := h.a.State(); len(s.Prefetched) > 0 || len(s.PrefetchFailed) > 0 || !reflect.DeepEqual(s.Artifacts, doc.Prefetch) {
			t.Errorf("under way: %+v", s)
		}
		time.Sleep(4 * time.Second)
		if s := h.a.State(); !reflect.DeepEqual(s.Prefetched, []string{"g:a:1"}) || s.PrefetchFailed["g:b:1"] != "the repository is away" {
			t.Errorf("after the first try: %+v", s)
		}
		h.change(func() { delete(h.away, "g:b:1") })
		time.Sleep(20 * time.Second)
		if s := h.a.State(); !reflect.DeepEqual(s.Prefetched, doc.Prefetch) || len(s.PrefetchFailed) > 0 {
			t.Errorf("when it is back: %+v", s)
		}
		h.change(func() { delete(h.installed, "g:a:1") })
		time.Sleep(2 * lookAgain)
		if !h.Installed("g:a:1") {
			t.Error("what was lost is not fetched again")
		}
		doc.Prefetch = []string{"g:c:1"}
		h.assign(doc)
		tries := h.installs
		doc.Prefetch = nil
		h.assign(doc)
		time.Sleep(time.Hour)
		if s := h.a.State(); h.installs != tries || len(s.Artifacts)+len(s.Prefetched) > 0 {
			t.Errorf("%d installs after nothing was wanted any more; %+v", h.installs-tries, s)
		}
	})
}

// The coordinator in office is known while there is one.
func TestTheLeaderIsKnown(t *testing.T) {
	bubble(t, func(h *host) {
		data, err := zkschema.Leader{Name: "c1", HTTP: "http://c1:7041"}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		h.write(cell.Leader(), data)
		synctest.Wait()
		if got := h.a.State().Leader; got != "http://c1:7041" {
			t.Errorf("the leader is %q", got)
		}
		h.remove(cell.Leader())
		synctest.Wait()
		if got := h.a.State().Leader; got != "" {
			t.Errorf("the leader is %q, and gone", got)
		}
	})
}

// What was remembered cannot be read: nothing is followed until a person says so.
func TestADamagedMemoryFollowsNobody(t *testing.T) {
	bubble(t, func(h *host) {
		h.assign(document(5, h.web(1, 1, "10")))
		h.stop()
		if err := os.WriteFile(filepath.Join(h.dir, "assignment.json"), []byte("{"), 0o600); err != nil {
			t.Fatal(err)
		}
		h.did()
		h.up()
		h.assign(document(6))
		h.expect("unreadable", "")
		if s := h.a.State(); !strings.Contains(s.Refused, "cannot be read") {
			t.Errorf("%+v", s)
		}
		if err := h.a.AcceptCell(h.t.Context()); err != nil {
			t.Fatal(err)
		}
		h.expect("accepted", "remove 1.web.borud.fbu")
	})
}

// A node that is drained, and is to be drained until later now, starts nothing again.
func TestADrainThatHoldsIsNotPutOff(t *testing.T) {
	bubble(t, func(h *host) {
		at := time.Now().UTC()
		until := func(d time.Duration) zkschema.Assignment {
			doc := document(1, h.web(1, 1, "10"))
			doc.Drain = &zkschema.AssignedDrain{Since: at, Deadline: at.Add(d)}
			return doc
		}
		for _, c := range []struct {
			sentence       string
			asked, holding time.Duration
		}{
			{"a drain", time.Minute, time.Minute},
			{"more time is asked for", 2 * time.Minute, 2 * time.Minute},
			{"the same", 2 * time.Minute, 2 * time.Minute},
			{"it holds, and more time is asked for", 4 * time.Minute, 2 * time.Minute},
			{"and again", time.Hour, 2 * time.Minute},
		} {
			h.assign(until(c.asked))
			h.did()
			if d := h.a.State().Drain; d == nil || !d.Deadline.Equal(at.Add(c.holding)) {
				t.Errorf("%s: %+v", c.sentence, d)
			}
			time.Sleep(50 * time.Second)
		}
		h.assign(document(1, h.web(1, 1, "10")))
		h.did()
		h.assign(until(time.Hour))
		h.did()
		if d := h.a.State().Drain; d == nil || !d.Deadline.Equal(at.Add(time.Hour)) {
			t.Errorf("after it was lifted it is another one: %+v", d)
		}
	})
}
