package launchertest

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/cloudname/nodee/runtime/supervise"
)

// nobody is an account that every machine has.
const nobody = 65534

// surroundings are what a process finds around itself.
var surroundings = []Case{
	{"around/environment", func(t *testing.T, b *Bench) {
		l := b.Script("")
		l.Path, l.Args = "/usr/bin/env", []string{"env"}
		l.Env = append(l.Env, "EMPTY=", "BLANK=a b\tc")
		wantExit(t, "env", b.Watch(b.StartAs(b.Key(), l)), 0)
		got := strings.Split(strings.TrimSuffix(b.Read("stdout.log"), "\n"), "\n")
		// A launcher may add its own mark of the start.
		got = slices.DeleteFunc(got, func(v string) bool { return strings.HasPrefix(v, "NODEE_START_ID=") })
		if !slices.Equal(got, l.Env) {
			t.Errorf("environment %q; want %q", got, l.Env)
		}
	}},
	{"around/folder, umask and arguments", func(t *testing.T, b *Bench) {
		l := b.Script("pwd -P; umask; echo $0 $#; echo oops >&2")
		l.Args = append(l.Args, "zero", "one", "")
		b.Watch(b.StartAs(b.Key(), l))
		if got, want := b.Read("stdout.log"), b.dir+"\n0022\nzero 2\n"; got != want {
			t.Errorf("stdout %q; want %q", got, want)
		}
		if got := b.Read("stderr.log"); got != "oops\n" {
			t.Errorf("stderr %q; want oops", got)
		}
	}},
	{"around/descriptors 0, 1 and 2", func(t *testing.T, b *Bench) {
		// ls itself opens the folder it lists.
		b.Watch(second(b.Start("ls /proc/self/fd; readlink /proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2; wc -c")))
		want := "0\n1\n2\n3\n/dev/null\n" + b.Path("stdout.log") + "\n" + b.Path("stderr.log") + "\n0\n"
		if got := b.Read("stdout.log"); got != want {
			t.Errorf("descriptors %q; want %q", got, want)
		}
	}},
	{"around/a session of its own, no terminal", func(t *testing.T, b *Bench) {
		b.Watch(second(b.Start("cut -d' ' -f1,5,6,7 </proc/$$/stat; echo $$")))
		f := strings.Fields(b.Read("stdout.log"))
		if len(f) != 5 || f[0] != f[1] || f[1] != f[2] || f[3] != "0" || f[4] != f[0] {
			t.Errorf("pid, group, session, terminal, $$ = %q; want the pid four times, and no terminal", f)
		}
	}},
	{"around/no signal is ignored or blocked", func(t *testing.T, b *Bench) {
		b.Watch(second(b.Start("exec grep -E 'Sig(Ign|Blk)' /proc/self/status")))
		if got := signals(b.Read("stdout.log")); got != "SigBlk: none SigIgn: none" {
			t.Errorf("signals: %q; want none", got)
		}
	}},
	{"around/logs are appended to", func(t *testing.T, b *Bench) {
		for i := range 3 {
			b.Watch(second(b.Start(fmt.Sprintf("echo %d", i))))
		}
		if got := b.Read("stdout.log"); got != "0\n1\n2\n" {
			t.Errorf("stdout %q; want three lines", got)
		}
		if info, err := os.Stat(b.Path("stdout.log")); err != nil || info.Mode().Perm()&0o007 != 0 {
			t.Errorf("log has mode %v, %v; want nothing for others", info.Mode(), err)
		}
	}},
	{"around/a log that is a link or no file is refused", func(t *testing.T, b *Bench) {
		if err := os.Symlink("/etc/passwd", b.Path("link")); err != nil {
			t.Fatal(err)
		}
		if err := syscall.Mkfifo(b.Path("pipe"), 0o600); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"link", "pipe", "missing/log"} {
			l := b.Script("exit 0")
			l.Stderr = b.Path(name)
			key := b.Key()
			if h, err := b.Launcher.Start(t.Context(), key, l); err == nil || !strings.Contains(err.Error(), l.Stderr) {
				t.Errorf("Start with the log %s = %s, %v; want an error that names it", name, h, err)
			}
		}
	}},
	{"around/another account", asNobody},
	{"around/access", access},
	{"around/a flood of output does not block", func(t *testing.T, b *Bench) {
		_, h := b.Start("head -c 50000000 /dev/zero | tr '\\0' x")
		wantExit(t, "flood", b.Watch(h), 0)
		if info, err := os.Stat(b.Path("stdout.log")); err != nil || info.Size() != 50000000 {
			t.Errorf("log: %v, %v; want 50000000 bytes", info, err)
		}
	}},
}

// access looks at what everybody may write but who is confined, and at whether setuid programs count.
func access(t *testing.T, b *Bench) {
	const script = "grep NoNewPrivs /proc/self/status; (echo x >/proc/self/comm) 2>/dev/null && echo wrote; exit 0"
	_, h := b.Start("exec sleep 60")
	for _, tt := range []struct {
		access supervise.Access
		want   string
	}{
		{supervise.Access{}, "NoNewPrivs:\t1\n"},
		{supervise.Access{Write: []string{"/proc"}}, "NoNewPrivs:\t1\nwrote\n"},
		{supervise.Access{Open: true}, "NoNewPrivs:\t1\nwrote\n"},
		{supervise.Access{NewPrivileges: true}, "NoNewPrivs:\t0\n"},
	} {
		if tt.access.NewPrivileges && !root() {
			continue // may not be granted
		}
		for _, run := range []func(supervise.Launch) supervise.Exit{
			func(l supervise.Launch) supervise.Exit { return b.Watch(b.StartAs(b.Key(), l)) },
			func(l supervise.Launch) supervise.Exit {
				exit, err := b.Launcher.Exec(t.Context(), h, l)
				if err != nil {
					t.Fatal(err)
				}
				return exit
			},
		} {
			l := b.Script(script)
			l.Access, l.Stdout = tt.access, b.Path("access.log")
			os.Remove(l.Stdout)
			wantExit(t, "access", run(l), 0)
			if got := b.Read("access.log"); got != tt.want {
				t.Errorf("with %+v: %q; want %q", tt.access, got, tt.want)
			}
		}
	}
}

func asNobody(t *testing.T, b *Bench) {
	if !root() {
		t.Skip("only root can change to another account")
	}
	l := b.Script("id -u; id -g; id -G; touch $D/x && echo wrote; echo more >>/proc/self/fd/1; exec sleep 60")
	l.As = &supervise.Account{UID: nobody, GID: nobody, Groups: []uint32{nobody, 4242}}
	l.Dir = "/"
	h := b.StartAs(b.Key(), l)
	b.Eventually("all lines", func() bool { return strings.HasSuffix(b.Read("stdout.log"), "more\n") })
	if got, want := b.Read("stdout.log"), "65534\n65534\n65534 4242\nmore\n"; got != want {
		t.Errorf("stdout %q; want %q", got, want)
	}
	var log, dir syscall.Stat_t
	if err := syscall.Stat(b.Path("stdout.log"), &log); err != nil || log.Uid != nobody || log.Gid != nobody {
		t.Errorf("log of %d:%d, %v; want nobody's", log.Uid, log.Gid, err)
	}
	if err := syscall.Stat(b.dir, &dir); err != nil || dir.Uid == nobody {
		t.Errorf("the log's folder is of %d, %v; want it untouched", dir.Uid, err)
	}
	if killed := b.Stop(h, supervise.Halt{Signal: "TERM", Grace: patience}); killed {
		t.Error("Stop had to kill a process of another account; want TERM to be enough")
	}
	// A folder that the account may not enter is no use to try again with.
	if err := os.Mkdir(b.Path("closed"), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Dir = b.Path("closed")
	if _, err := b.Launcher.Start(t.Context(), b.Key(), l); !errors.Is(err, supervise.ErrFinal) || !strings.Contains(err.Error(), l.Dir) {
		t.Errorf("Start in a folder that the account may not enter = %v; want ErrFinal and the folder's name", err)
	}
}

func second(_ supervise.Key, h supervise.Handle) supervise.Handle { return h }

// threading are the two signals that glibc keeps for its threads. Its posix_spawn, which make
// uses, leaves the first one ignored in whatever it starts, and Go's runtime does not touch
// them: no program can tell the difference.
const threading = 1<<(32-1) | 1<<(33-1)

// signals makes the sets of signals in lines of /proc/<pid>/status readable: "none", or the
// set without those of threading, in hexadecimal.
func signals(lines string) string {
	fields := strings.Fields(lines)
	for i, f := range fields {
		if set, err := strconv.ParseUint(f, 16, 64); err == nil && len(f) == 16 {
			if fields[i] = "none"; set&^threading != 0 {
				fields[i] = f
			}
		}
	}
	return strings.Join(fields, " ")
}
