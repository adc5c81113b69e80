package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// round is one peer with its services, once.
type round struct {
	bench   *bench
	dir     string // a new one
	n       int
	account *account
	beacon  *beacon
	procs   []*exec.Cmd // what was started; waited for at the end
}

// peer is a way to keep services running.
type peer struct {
	name    string
	slow    bool // waits about a second before it starts a service again
	missing string
	start   func(r *round) error // returns when the supervisor runs, or the services do
	stop    func(r *round) error // in an orderly way; nil: by killing
}

// run starts a supervisor in the round's account.
func (r *round) run(env []string, path string, args ...string) error {
	cmd := r.account.command(path, args...)
	cmd.Env = append(os.Environ(), append(env, "BENCH_SOCKET="+r.beacon.path)...)
	log, err := os.Create(filepath.Join(r.dir, "supervisor.log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	r.procs = append(r.procs, cmd)
	return nil
}

// interrupt ends what was started last, which ends all that it started.
func (r *round) interrupt() error {
	last := len(r.procs) - 1
	cmd := r.procs[last]
	r.procs = r.procs[:last]
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		return err
	}
	return cmd.Wait()
}

// peers lists who is measured. Those that are not there say why.
func (b *bench) peers() []*peer {
	bare := &peer{name: "bare C loop", start: func(r *round) error {
		return r.run(nil, b.built("bare"), fmt.Sprint(r.n), b.built("service"), r.beacon.path)
	}}
	loop := &peer{name: sameLoop, start: func(r *round) error {
		return r.run(nil, b.built("loop"), "run", r.dir, fmt.Sprint(r.n), b.built("service"), r.beacon.path)
	}, stop: (*round).interrupt}
	return []*peer{bare, loop, b.nodee(),
		installed("runit", "runsvdir", startRunit, false),
		installed("s6", "s6-svscan", startS6, true),
		installed("supervisord", "supervisord", startSupervisord, true),
		b.pebble()}
}

// installed is a peer that Debian has.
func installed(name, program string, start func(*round, string) error, slow bool) *peer {
	p := &peer{name: name, slow: slow}
	path, err := exec.LookPath(program)
	if err != nil {
		p.missing = program + " is not installed"
	}
	p.start = func(r *round) error { return start(r, path) }
	return p
}

// scandir makes the folder of services that runit and s6 look at. What they run is the
// program itself: a shell script would cost them a shell each.
func (r *round) scandir() (string, error) {
	dir := filepath.Join(r.dir, "scan")
	for i := range r.n {
		sub := filepath.Join(dir, fmt.Sprintf("s%04d", i))
		if err := os.MkdirAll(sub, 0o755); err != nil {
			return "", err
		}
		if err := os.Symlink(r.bench.built("service"), filepath.Join(sub, "run")); err != nil {
			return "", err
		}
	}
	return dir, nil
}

func startRunit(r *round, path string) error {
	dir, err := r.scandir()
	if err != nil {
		return err
	}
	return r.run(nil, path, dir)
}

func startS6(r *round, path string) error {
	dir, err := r.scandir()
	if err != nil {
		return err
	}
	return r.run(nil, path, "-c", fmt.Sprint(r.n+10), dir)
}

func startSupervisord(r *round, path string) error {
	var conf strings.Builder
	fmt.Fprintf(&conf, "[supervisord]\nnodaemon=true\nlogfile=%[1]s/supervisord.log\npidfile=%[1]s/pid\nchildlogdir=%[1]s\nminfds=20000\nminprocs=2000\n", r.dir)
	for i := range r.n {
		fmt.Fprintf(&conf, "[program:s%04d]\ncommand=%s %s\nautorestart=true\nstartsecs=0\nredirect_stderr=true\nstdout_logfile=%s/s%04d.log\n",
			i, r.bench.built("service"), r.beacon.path, r.dir, i)
	}
	file := filepath.Join(r.dir, "supervisord.conf")
	if err := os.WriteFile(file, []byte(conf.String()), 0o644); err != nil {
		return err
	}
	return r.run(nil, path, "-c", file)
}

// pebbleVersion is the last one that could be fetched when this was written.
const pebbleVersion = "v1.18.0"

// pebble is built from its module. Where that cannot be had it is left out.
func (b *bench) pebble() *peer {
	p := &peer{name: "pebble " + pebbleVersion}
	if _, err := os.Stat(b.built("pebble")); err != nil {
		if err := b.buildPebble(); err != nil {
			p.missing = "its module could not be built: " + firstLine(err.Error())
		}
	}
	p.start = func(r *round) error {
		layers := filepath.Join(r.dir, "layers")
		if err := os.MkdirAll(layers, 0o755); err != nil {
			return err
		}
		var plan strings.Builder
		plan.WriteString("services:\n")
		for i := range r.n {
			fmt.Fprintf(&plan, "  s%04d:\n    override: replace\n    startup: enabled\n    command: %s %s\n    backoff-delay: 1ms\n    backoff-factor: 1.0\n    backoff-limit: 1ms\n",
				i, b.built("service"), r.beacon.path)
		}
		if err := os.WriteFile(filepath.Join(layers, "001-bench.yaml"), []byte(plan.String()), 0o644); err != nil {
			return err
		}
		return r.run([]string{"PEBBLE=" + r.dir, "PEBBLE_SOCKET=" + filepath.Join(r.dir, "p.sock")}, b.built("pebble"), "run", "--create-dirs")
	}
	return p
}

func (b *bench) buildPebble() error {
	dir := filepath.Join(b.work, "pebble-module")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	module := "module peer\n\ngo 1.24\n\nrequire github.com/canonical/pebble " + pebbleVersion + "\n"
	source := "//go:build peer\n\npackage peer\n\nimport _ \"github.com/canonical/pebble/cmd/pebble\"\n"
	for name, text := range map[string]string{"go.mod": module, "peer.go": source} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	cmd := exec.Command("go", "build", "-o", b.built("pebble"), "github.com/canonical/pebble/cmd/pebble")
	cmd.Dir = dir
	// Its checksum is not in every mirror of the checksum database; it runs here only.
	cmd.Env = append(os.Environ(), "GOFLAGS=-mod=mod", "GONOSUMDB=github.com/canonical/pebble")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s", out)
	}
	return nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}
