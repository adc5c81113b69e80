package store

import (
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

var web = service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}

func openServices(t *testing.T, dir string) *Services {
	t.Helper()
	s, err := OpenServices(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func create(t *testing.T, s *Services) Desire {
	t.Helper()
	d := Desire{Coordinate: web, Desired: service.Running, Generation: 1, Run: 1, Owner: Local,
		Spec: &service.Spec{Command: "/bin/web", Options: map[string]any{"verbose": true}}, Ports: map[string]int{"http": 31000}}
	d, err := s.Create(d, func(Desire) {})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestWhatWasAskedForIsThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	want := create(t, openServices(t, dir))
	got, ok := openServices(t, dir).Get(web)
	if !ok || !reflect.DeepEqual(got, want) {
		t.Errorf("read %+v, %v; want %+v", got, ok, want)
	}
}

func TestCreatedOnce(t *testing.T) {
	s := openServices(t, t.TempDir())
	create(t, s)
	_, err := s.Create(Desire{Coordinate: web}, func(Desire) { t.Error("told of a second one") })
	if fault.KindOf(err) != fault.Conflict {
		t.Errorf("a second create: %v", err)
	}
}

func TestAChangeThatFailsChangesNothing(t *testing.T) {
	s := openServices(t, t.TempDir())
	want := create(t, s)
	boom := errors.New("boom")
	_, err := s.Change(web, func(d *Desire) (bool, error) { d.Generation = 9; return true, boom }, func(Desire) { t.Error("told of it") })
	if got, _ := s.Get(web); !errors.Is(err, boom) || !reflect.DeepEqual(got, want) {
		t.Errorf("%v; now %+v", err, got)
	}
	_, err = s.Change(service.Coordinate{}, func(*Desire) (bool, error) { return true, nil }, func(Desire) {})
	if fault.KindOf(err) != fault.NotFound {
		t.Errorf("a change of what is not there: %v", err)
	}
}

// A disk that takes its time holds up who changes that service, and nobody who reads.
func TestReadersDoNotWaitForTheDisk(t *testing.T) {
	s := openServices(t, t.TempDir())
	before := create(t, s)
	_, err := s.Change(web, func(d *Desire) (bool, error) { d.Generation = 2; return true, nil }, func(Desire) {
		read := make(chan Desire, 1)
		go func() {
			all := s.All()
			d, _ := s.Get(web)
			read <- d
			if len(all) != 1 {
				t.Errorf("%d services, want 1", len(all))
			}
		}()
		select {
		case d := <-read:
			if d.Generation != before.Generation {
				t.Errorf("generation %d is told of before it is in the history", d.Generation)
			}
		case <-time.After(10 * time.Second):
			t.Error("a reader waits until the change is done")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	if d, _ := s.Get(web); d.Generation != 2 {
		t.Errorf("generation %d, want 2", d.Generation)
	}
}

func TestACreateThatFailsLeavesNothing(t *testing.T) {
	dir := t.TempDir()
	s := openServices(t, dir)
	if err := os.WriteFile(filepath.Join(dir, web.String()), nil, 0o600); err != nil { // in the way
		t.Fatal(err)
	}
	if _, err := s.Create(Desire{Coordinate: web}, func(Desire) { t.Error("told of it") }); err == nil {
		t.Fatal("no error")
	}
	if _, ok := s.Get(web); ok || len(s.entries) != 0 {
		t.Errorf("there is %d", len(s.entries))
	}
	if err := os.Remove(filepath.Join(dir, web.String())); err != nil {
		t.Fatal(err)
	}
	create(t, s)
}

func TestForget(t *testing.T) {
	dir := t.TempDir()
	s := openServices(t, dir)
	create(t, s)
	if err := s.Save(web.String(), supervise.Record{Boot: "b"}); err != nil {
		t.Fatal(err)
	}
	told := false
	if err := s.Forget(web, func() { told = true }); err != nil || !told {
		t.Fatalf("Forget = %v, and told of its end: %v", err, told)
	}
	if _, ok := s.Get(web); ok || len(s.All()) != 0 {
		t.Error("it is still there")
	}
	if _, err := os.Lstat(filepath.Join(dir, web.String())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
	create(t, s)
	if r := s.Record(web); r.Boot != "" {
		t.Errorf("a new service of the name has an old record: %+v", r)
	}
}

func TestAServiceThatCannotBeForgottenIsStillThere(t *testing.T) {
	dir := t.TempDir()
	s := openServices(t, dir)
	create(t, s)
	wish := filepath.Join(dir, web.String(), desireFile)
	if err := os.Remove(wish); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(wish, "in the way"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := s.Forget(web, func() { t.Error("its end was told") }); err == nil {
		t.Error("no error")
	}
	if _, ok := s.Get(web); !ok {
		t.Error("it is gone")
	}
}

// A crash between the removal of the wish and of the rest leaves a folder without a wish, and
// what its unit has saved: a later service of that name must not begin with it.
func TestHalfForgottenIsForgotten(t *testing.T) {
	dir := t.TempDir()
	s := openServices(t, dir)
	create(t, s)
	if err := s.Save(web.String(), supervise.Record{Generation: 9}); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, web.String(), desireFile)); err != nil {
		t.Fatal(err)
	}
	s = openServices(t, dir)
	if len(s.All()) != 0 {
		t.Errorf("there is %v", s.All())
	}
	if _, err := os.Lstat(filepath.Join(dir, web.String())); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its folder: %v", err)
	}
	for range 2 { // also for the one that is opened after that
		if rec := s.Record(web); rec.Generation != 0 {
			t.Errorf("its unit begins with %+v", rec)
		}
		s = openServices(t, dir)
	}
}

func TestAGarbledWishIsLeftForAPerson(t *testing.T) {
	dir := t.TempDir()
	s := openServices(t, dir)
	create(t, s)
	file := filepath.Join(dir, web.String(), desireFile)
	if err := os.WriteFile(file, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.Save(web.String(), supervise.Record{Generation: 9, Run: 7}); err != nil {
		t.Fatal(err)
	}
	s = openServices(t, dir)
	if len(s.All()) != 0 || !slices.Equal(s.Unreadable(), []string{web.String()}) {
		t.Errorf("there is %v, and unreadable is %q", s.All(), s.Unreadable())
	}
	if b, err := os.ReadFile(file); err != nil || string(b) != "{" {
		t.Errorf("the file is now %q, %v", b, err)
	}
	// Put anew, it is wanted after all that its unit has seen.
	if d := create(t, s); d.Generation != 10 || d.Run != 10 || len(s.Unreadable()) != 0 {
		t.Errorf("generation %d, run %d, unreadable %q; want 10, 10 and none", d.Generation, d.Run, s.Unreadable())
	}
	if d, _ := openServices(t, dir).Get(web); d.Run != 10 {
		t.Errorf("on disk is run %d, want 10", d.Run)
	}
}

func TestConfirm(t *testing.T) {
	s := openServices(t, t.TempDir())
	create(t, s)
	name := web.String()
	confirmed := func(run int64) bool {
		called := false
		ok := s.Confirm(name, run, func() { called = true })
		if ok != called {
			t.Errorf("Confirm = %v, called %v", ok, called)
		}
		return ok
	}
	if !confirmed(1) || confirmed(2) {
		t.Error("want the run that is desired to be confirmed, and no other")
	}
	if _, err := s.Change(web, func(d *Desire) (bool, error) { d.Desired = service.Stopped; return true, nil }, func(Desire) {}); err != nil {
		t.Fatal(err)
	}
	if confirmed(1) || s.Confirm("nonsense", 1, func() {}) || s.Confirm("2.web.borud.fbu", 1, func() {}) {
		t.Error("what should not run was confirmed")
	}
}

// A wish without a spec can only be damage: nobody is to come upon nothing in its place.
func TestAWishWithoutASpecIsUnreadable(t *testing.T) {
	dir := t.TempDir()
	folder := filepath.Join(dir, web.String())
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, desireFile), []byte(`{"coordinate":"`+web.String()+`","generation":1}`), 0o600); err != nil {
		t.Fatal(err)
	}
	s, err := OpenServices(dir, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if names := s.Unreadable(); len(names) != 1 || len(s.All()) != 0 {
		t.Errorf("unreadable are %v, and there are %d wishes; want the one that has no spec to be told of", names, len(s.All()))
	}
}
