package process

import (
	"path/filepath"
	"strconv"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/cgroup"
	"github.com/cloudname/nodee/runtime/confine"
	"github.com/cloudname/nodee/runtime/supervise"
)

// BenchmarkLife is one start from Start to the removal of its group, under each access; the
// same by a plain loop of the same system calls, without confinement, is BenchmarkLifeBare,
// which says what is our own cost.
func BenchmarkLife(b *testing.B) {
	for what, access := range map[string]supervise.Access{"confined": {}, "open": {Open: true}} {
		b.Run(what, func(b *testing.B) { benchLife(b, access) })
	}
}

func benchLife(b *testing.B, access supervise.Access) {
	cfg, own := testConfig(b.TempDir()), b.TempDir()
	cfg.Protect = []string{b.TempDir()}
	l, err := New(cfg)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close(b.Context())
	launch := in(own, "true")
	launch.Dir, launch.Access = own, access
	i := 0
	for b.Loop() {
		i++
		h, err := l.Start(b.Context(), supervise.Key{Kind: "bench", Name: "a", Start: strconv.Itoa(i)}, launch)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := l.Watch(b.Context(), h); err != nil {
			b.Fatal(err)
		}
		if _, err := l.Stop(b.Context(), h, supervise.Halt{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkBounds is what confinement alone adds to a start: the rules, the thread and its end.
func BenchmarkBounds(b *testing.B) {
	for what, open := range map[string]bool{"confined": false, "open": true} {
		b.Run(what, func(b *testing.B) {
			guard, err := confine.New([]string{b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			defer guard.Close()
			s := confine.Subject{Dir: b.TempDir(), Open: open}
			for b.Loop() {
				err := within(nil, func() error {
					bounds, err := guard.Prepare(s)
					if err != nil {
						return err
					}
					defer bounds.Close()
					return bounds.Enforce()
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkLifeBare(b *testing.B) {
	tree, err := cgroup.Discover("/proc")
	if err != nil {
		b.Fatal(err)
	}
	own, err := tree.V2.Of("/proc", "self")
	if err != nil {
		b.Skip(err)
	}
	base, err := cgroup.Make(filepath.Join(own, "nodee-bench-"+strconv.Itoa(unix.Getpid())))
	if err != nil {
		b.Skip(err)
	}
	defer base.Remove()
	launch := in(b.TempDir(), "true")
	i := 0
	for b.Loop() {
		i++
		bareLife(b, filepath.Join(base.Dir(), strconv.Itoa(i)), launch)
	}
}

func bareLife(b *testing.B, dir string, l supervise.Launch) {
	if err := unix.Mkdir(dir, 0o755); err != nil {
		b.Fatal(err)
	}
	group, err := unix.Open(dir, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	files, err := openStreams(l)
	if err != nil {
		b.Fatal(err)
	}
	fd := -1
	_, err = syscall.ForkExec(l.Path, l.Args, &syscall.ProcAttr{Dir: l.Dir, Env: []string{}, Files: files,
		Sys: &syscall.SysProcAttr{Setsid: true, UseCgroupFD: true, CgroupFD: group, PidFD: &fd}})
	if err != nil {
		b.Fatal(err)
	}
	for _, f := range files {
		unix.Close(int(f))
	}
	unix.Close(group)
	if err := unix.Waitid(unix.P_PIDFD, fd, nil, unix.WEXITED, nil); err != nil {
		b.Fatal(err)
	}
	unix.Close(fd)
	if err := unix.Rmdir(dir); err != nil {
		b.Fatal(err)
	}
}
