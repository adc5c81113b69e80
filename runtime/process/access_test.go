package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// roleScene makes the test binary try everything, in the scene that the variable tells of.
const roleScene = "PROCESS_TEST_SCENE"

// tryAll is what a process does that tries to get out: all of it, and it tells what came of it.
func tryAll() {
	runtime.LockOSThread() // some of it changes the thread alone
	part := strings.Split(os.Getenv(roleScene), "|")
	daemon, err := strconv.Atoi(part[2])
	if err != nil {
		panic(err)
	}
	s := scene{prefix: part[0], beside: part[1], daemon: daemon}
	out := map[string]string{}
	for _, a := range slices.Concat(allowed, confinedOnly, never) {
		out[a.name] = "done"
		if err := a.try(s); err != nil {
			out[a.name] = err.Error()
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
}

// newScene lays out the folders below dir.
func newScene(t *testing.T, dir string) scene {
	t.Helper()
	s := scene{prefix: filepath.Join(dir, "in", "prefix"), beside: t.TempDir(), daemon: os.Getpid()}
	t.Cleanup(func() { os.Remove("escaped") }) // is there when who should not gets to where the test runs
	for _, file := range []string{"software/g/a/1.0/prog", "software/g/a/1.0/conf/text", "state/token", "logs/mine/stdout.log", "logs/mine/stderr.log",
		"logs/mine/stdout.log.1", "logs/other/stdout.log", "runtime/mine/folder/x", "runtime/other/file", "runtime/other/file2", "asked/x"} {
		file = filepath.Join(s.prefix, file)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte("as it was"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(s.beside, "file"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	return s
}

// guarded makes a launcher that protects what is the daemon's in a scene.
func guarded(t *testing.T, s scene) *Launcher {
	t.Helper()
	cfg := testConfig(t.TempDir())
	for _, dir := range []string{"software", "state", "logs"} {
		cfg.Protect = append(cfg.Protect, filepath.Join(s.prefix, dir))
	}
	l, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
	})
	if f := l.Features(); f.Landlock == "none" {
		t.Fatalf("this host cannot confine: %s", f.LandlockWhy)
	}
	return l
}

// launch is one of the test binary that tries everything.
func (s scene) launch(access supervise.Access) supervise.Launch {
	access.Write = append(access.Write, s.prefix+"/asked")
	return supervise.Launch{Path: "/proc/self/exe", Args: []string{"escape"}, Dir: s.mine(""), Access: access,
		Env:    []string{roleScene + "=" + fmt.Sprintf("%s|%s|%d", s.prefix, s.beside, s.daemon)},
		Stdout: s.prefix + "/logs/mine/stdout.log", Stderr: s.prefix + "/logs/mine/stderr.log"}
}

// tries runs a launch to its end, and returns what it says that it could do.
func (s scene) tries(t *testing.T, run func(supervise.Launch) supervise.Exit, launch supervise.Launch) map[string]string {
	t.Helper()
	if err := os.Truncate(launch.Stdout, 0); err != nil {
		t.Fatal(err)
	}
	exit := run(launch)
	said, err := os.ReadFile(launch.Stdout)
	if err != nil || exit.Code == nil || *exit.Code != 0 {
		complaint, _ := os.ReadFile(launch.Stderr)
		t.Fatalf("the process ended with %+v, %v:\n%s", exit, err, complaint)
	}
	out := map[string]string{}
	if err := json.Unmarshal(said, &out); err != nil {
		t.Fatalf("%v in %s", err, said)
	}
	return out
}

// picture is all that is in some folders: names and contents.
func picture(t *testing.T, dirs ...string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				var b []byte
				b, err = os.ReadFile(path)
				out[path] = string(b)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func toEnd(t *testing.T, l *Launcher) func(supervise.Launch) supervise.Exit {
	return func(launch supervise.Launch) supervise.Exit {
		t.Helper()
		key := supervise.Key{Kind: "service", Name: "escape", Start: "s" + strconv.Itoa(int(time.Now().UnixNano()))}
		exit, err := l.Watch(t.Context(), startAs(t, l, key, launch))
		if err != nil {
			t.Fatal(err)
		}
		return exit
	}
}

func TestNobodyGetsOut(t *testing.T) {
	for what, access := range map[string]supervise.Access{
		"confined": {}, "open": {Open: true}, "confined, with new privileges": {NewPrivileges: true}, "open, with new privileges": {Open: true, NewPrivileges: true},
	} {
		t.Run(what, func(t *testing.T) {
			if access.NewPrivileges && os.Geteuid() != 0 {
				t.Skip("only root may confine what may gain privileges")
			}
			s := newScene(t, t.TempDir())
			daemons := []string{s.prefix + "/software", s.prefix + "/state", s.prefix + "/logs/other"}
			before := picture(t, daemons...)
			l := guarded(t, s)
			got := s.tries(t, toEnd(t, l), s.launch(access))
			judge(t, got, allowed, true)
			judge(t, got, confinedOnly, access.Open)
			judge(t, got, never, false)
			if after := picture(t, daemons...); !maps.Equal(before, after) {
				t.Errorf("what is the daemon's has changed from\n%q to\n%q", before, after)
			}
		})
	}
}

// judge compares what could be done with what may be.
func judge(t *testing.T, got map[string]string, attempts []attempt, may bool) {
	t.Helper()
	for _, a := range attempts {
		switch said, tried := got[a.name]; {
		case !tried:
			t.Errorf("%s: was not tried", a.name)
		case may && said != "done":
			t.Errorf("%s: %s; want it allowed", a.name, said)
		case !may && said == "done":
			t.Errorf("%s: was done; want it refused", a.name)
		case !may && !slices.Contains(refusals, said):
			t.Errorf("%s: %s; want it refused for lack of a right", a.name, said)
		}
	}
}

// refusals are what the kernel says to who may not.
var refusals = []string{unix.EACCES.Error(), unix.EPERM.Error(), unix.EXDEV.Error()}

// A helper is bounded by the same access as what it helps.
func TestHelpersAreConfined(t *testing.T) {
	s := newScene(t, t.TempDir())
	l := guarded(t, s)
	idle := s.launch(supervise.Access{})
	idle.Path, idle.Args = "/bin/sleep", []string{"sleep", "60"}
	h := startAs(t, l, supervise.Key{Kind: "service", Name: "helped", Start: "s1"}, idle)
	got := s.tries(t, func(launch supervise.Launch) supervise.Exit {
		exit, err := l.Exec(t.Context(), h, launch)
		if err != nil {
			t.Fatal(err)
		}
		return exit
	}, s.launch(supervise.Access{}))
	judge(t, got, allowed, true)
	judge(t, got, slices.Concat(confinedOnly, never), false)
}

// Whatever was mounted where before, also after the launcher was made.
func TestNoMountLeadsToSoftware(t *testing.T) {
	s := newScene(t, t.TempDir())
	l := guarded(t, s)
	alias := filepath.Join(s.beside, "alias")
	if err := os.Mkdir(alias, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount(filepath.Dir(s.prefix), alias, "", unix.MS_BIND, ""); err != nil {
		t.Skip("cannot mount here: ", err)
	}
	t.Cleanup(func() { unix.Unmount(alias, unix.MNT_DETACH) })
	script := s.launch(supervise.Access{Open: true})
	script.Path, script.Args = "/bin/sh", []string{"sh", "-c", `
		echo x >>"$0/prefix/software/g/a/1.0/prog" && echo wrote software
		echo x >>"$0/prefix/runtime/other/file" || echo cannot write what is free
		exit 0`, alias}
	if err := os.Truncate(script.Stdout, 0); err != nil {
		t.Fatal(err)
	}
	toEnd(t, l)(script)
	if said, err := os.ReadFile(script.Stdout); err != nil || len(said) > 0 {
		t.Errorf("the process says %q, %v; want nothing", said, err)
	}
	script.Access.Write = []string{alias}
	if _, err := l.Start(t.Context(), supervise.Key{Kind: "service", Name: "a", Start: "s"}, script); !errors.Is(err, supervise.ErrFinal) {
		t.Errorf("Start with a write that is another name of software = %v; want ErrFinal", err)
	}
}

func TestWhatCannotBeGranted(t *testing.T) {
	s := newScene(t, t.TempDir())
	l := guarded(t, s)
	if err := os.Symlink(s.software(), filepath.Join(s.beside, "link")); err != nil {
		t.Fatal(err)
	}
	for path, tt := range map[string]struct {
		final bool
		says  string
	}{
		s.beside + "/link":         {true, "lies in"},
		s.prefix:                   {true, "holds"},
		s.prefix + "/state/secret": {true, "lies in"},
		s.beside + "/missing":      {false, "it is not there; make it"},
		s.beside + "/file/x":       {false, "not a directory"},
	} {
		launch := s.launch(supervise.Access{Write: []string{path}})
		h, err := l.Start(t.Context(), supervise.Key{Kind: "service", Name: "a", Start: "s"}, launch)
		if err == nil || errors.Is(err, supervise.ErrFinal) != tt.final || !strings.Contains(err.Error(), tt.says) || !strings.Contains(err.Error(), path) {
			t.Errorf("write %s: %s, %v; want final %v, and %q", path, h, err, tt.final, tt.says)
		}
	}
}

func TestTemporaryFoldersAreForAll(t *testing.T) {
	for _, tmp := range []string{"/tmp", "/var/tmp"} {
		own, err := os.MkdirTemp(tmp, "nodee-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(own) })
		// A prefix elsewhere leaves it to all, one below it to nobody.
		for prefix, want := range map[string]string{"/dev/shm": "0", own: "2"} {
			dir, err := os.MkdirTemp(prefix, "nodee-test-")
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { os.RemoveAll(dir) })
			s := newScene(t, dir)
			launch := s.launch(supervise.Access{})
			launch.Path, launch.Args = "/bin/sh", []string{"sh", "-c", "echo >" + own + "/made-$$ && echo >/dev/null"}
			exit := toEnd(t, guarded(t, s))(launch)
			if exit.Code == nil || (*exit.Code == 0) != (want == "0") {
				t.Errorf("prefix in %s: writing below %s ended with %+v; want %s", prefix, tmp, exit, want)
			}
		}
	}
}

// A program that is root's by its mode is so only for those that may gain privileges.
func TestSetuidPrograms(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a program that is root's for others")
	}
	s := newScene(t, t.TempDir())
	l := guarded(t, s)
	id, err := os.ReadFile("/usr/bin/id")
	program := filepath.Join(s.beside, "id")
	if err == nil {
		err = os.WriteFile(program, id, 0o755)
	}
	if err == nil {
		err = os.Chmod(program, 0o755|os.ModeSetuid)
	}
	for dir := s.beside; err == nil && dir != "/tmp"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	for dir := s.mine(""); err == nil && dir != "/tmp"; dir = filepath.Dir(dir) {
		err = os.Chmod(dir, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	for privileged, want := range map[bool]string{false: "65534\n", true: "0\n"} {
		launch := s.launch(supervise.Access{NewPrivileges: privileged})
		launch.Path, launch.Args, launch.As = program, []string{"id", "-u"}, &supervise.Account{UID: 65534, GID: 65534}
		if err := os.Truncate(launch.Stdout, 0); err != nil {
			t.Fatal(err)
		}
		toEnd(t, l)(launch)
		if said, err := os.ReadFile(launch.Stdout); err != nil || string(said) != want {
			t.Errorf("with new privileges %v the program runs as %q, %v; want %q", privileged, said, err, want)
		}
		// Held for its limits it would lose what it is setuid for, without a word.
		launch.Limits = service.Limits{NoFile: 99}
		key := supervise.Key{Kind: "service", Name: "setuid", Start: fmt.Sprint(privileged)}
		h, err := l.Start(t.Context(), key, launch)
		if privileged != (errors.Is(err, supervise.ErrFinal) && strings.Contains(err.Error(), "setuid")) {
			t.Errorf("with limits and new privileges %v: %v", privileged, err)
		}
		if err == nil {
			if _, err := l.Stop(t.Context(), h, supervise.Halt{}); err != nil {
				t.Error(err)
			}
		}
	}
}

// What is done to the threads that processes are forked from stays with them: no thread that
// Go goes on using has any of it.
func TestTheDaemonIsNotConfined(t *testing.T) {
	const starts, each = 8, 40
	s := newScene(t, t.TempDir())
	l := guarded(t, s)
	launch := s.launch(supervise.Access{})
	launch.Path, launch.Args = "/bin/true", []string{"true"}
	ctx, cancel := context.WithCancel(t.Context())
	var wg, busy sync.WaitGroup
	for i := range 20 { // new threads are wanted all the time
		busy.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				if err := os.WriteFile(fmt.Sprintf("%s/software/w%d", s.prefix, i), nil, 0o644); err != nil {
					t.Errorf("the daemon itself cannot write any more: %v", err)
					return
				}
				unix.Nanosleep(&unix.Timespec{Nsec: 1e6}, nil) // blocks the thread, as a slow disk does
			}
		})
	}
	for i := range starts {
		wg.Go(func() {
			for n := range each {
				key := supervise.Key{Kind: "service", Name: "many" + strconv.Itoa(i), Start: "s" + strconv.Itoa(n)}
				h, err := l.Start(ctx, key, launch)
				if err == nil {
					_, err = l.Watch(ctx, h)
				}
				if err == nil {
					_, err = l.Stop(ctx, h, supervise.Halt{})
				}
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	cancel()
	busy.Wait()
	wait(t, func() bool { return len(tainted(t)) == 0 }) // the last ones may be on their way out
}

// tainted lists the threads of this process that can gain no privileges, as those that
// processes are forked from.
func tainted(t *testing.T) (out []string) {
	files, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if status, err := os.ReadFile(file); err == nil && !strings.Contains(string(status), "NoNewPrivs:\t0") {
			out = append(out, file)
		}
	}
	return out
}
