// Command bench measures Nodee against what else keeps services running, and against plain
// loops that make the same system calls, all in one run on one machine; how fast a coordinator
// decides, and what it takes in a cell of thousands of nodes. It writes what it has measured to
// docs/performance.md, between marks; the text around them is written by people.
//
// Nothing here is a test: no figure fails a build. It starts and ends what it measures, services
// in a control group of its own, and refuses to run them without one, since what processes use
// that have ended is known nowhere else. Its goroutines are those of a group and the beacon's.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// bench is one run of everything.
type bench struct {
	n, runs int
	nodes   int      // of a cell
	only    []string // the experiments to run; empty: all
	with    string   // peers whose name has this; empty: all
	idle    int      // seconds
	binary  string   // of Nodee
	work    string   // a folder for what is built and written
	daemon  *daemon  // the Nodee of this round
	tables  []*table // of this section
	load    string   // the load average before it
}

// experiment is what can be asked for.
type experiment struct {
	name string
	run  func(*bench) error
}

// section is a part of the page whose figures belong to one run.
type section struct {
	name        string
	services    bool                // whether services run: they are built first, and the figures are of n of them
	about       func(*bench) string // what else is said of how it was measured; nil: nothing
	experiments []experiment
}

// sections are all there is to measure, in the order in which it is done.
var sections = []section{
	{"services", true, nil, []experiment{
		{"lives", (*bench).lives},
		{"adopt", (*bench).adopt},
		{"output", (*bench).output},
		{"list", (*bench).list},
	}},
	{"placement", false, nil, []experiment{
		{"place", (*bench).place},
	}},
	{"planning", false, nil, []experiment{
		{"plan", (*bench).plan},
	}},
	{"cell", false, (*bench).aboutCell, []experiment{
		{"cell", (*bench).cell},
	}},
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == bareCommand {
		exit(serveBare(os.Args[2]))
	}
	b := &bench{}
	flag.IntVar(&b.n, "n", 1000, "services")
	flag.IntVar(&b.nodes, "nodes", 10_000, "nodes of a cell")
	flag.IntVar(&b.runs, "runs", 3, "runs of each peer")
	flag.IntVar(&b.idle, "idle", 10, "seconds for which idleness is watched")
	flag.StringVar(&b.binary, "nodee", "bin/nodee", "Nodee's binary")
	only := flag.String("only", "", "experiments, separated by commas: lives, adopt, output, list, place, plan, cell")
	flag.StringVar(&b.with, "with", "", "only peers whose name has this")
	out := flag.String("out", "", "the page to write the figures into; empty, or where parts of a section are left out: standard output")
	flag.Parse()
	if *only != "" {
		b.only = strings.Split(*only, ",")
	}
	exit(b.run(*out))
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (b *bench) run(out string) (err error) {
	if b.binary, err = filepath.Abs(b.binary); err != nil {
		return err
	}
	if b.work, err = os.MkdirTemp("", "nodee-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.work)
	if err := os.Chmod(b.work, 0o755); err != nil {
		return err
	}
	for _, sec := range sections {
		if e := b.section(sec, out); e != nil {
			err = errors.Join(err, e)
		}
	}
	return err
}

// section runs what is asked for of a section, and writes its figures down when that was all of
// it: figures of different runs cannot be compared.
func (b *bench) section(s section, out string) (err error) {
	asked := slices.DeleteFunc(slices.Clone(s.experiments), func(x experiment) bool {
		return len(b.only) > 0 && !slices.Contains(b.only, x.name)
	})
	if len(asked) == 0 {
		return nil
	}
	if s.services {
		if err := b.build(); err != nil {
			return err
		}
	}
	b.tables, b.load = nil, load()
	for _, x := range asked {
		if e := x.run(b); e != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", x.name, e))
		}
	}
	if err != nil || b.with != "" || len(asked) < len(s.experiments) {
		out = ""
	}
	return errors.Join(err, b.report(s, out))
}

// build makes the programs that are measured beside Nodee.
func (b *bench) build() error {
	for _, c := range [][]string{
		{"gcc", "-O2", "-static", "-o", b.built("service"), "test/bench/c/service.c"},
		{"gcc", "-O2", "-o", b.built("bare"), "test/bench/c/bare.c"},
		{"go", "build", "-o", b.built("loop"), "./test/bench/loop"},
	} {
		if out, err := exec.Command(c[0], c[1:]...).CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w: %s", strings.Join(c, " "), err, out)
		}
	}
	return nil
}

func (b *bench) built(name string) string { return filepath.Join(b.work, name) }

// say shows progress.
func say(format string, args ...any) { fmt.Fprintf(os.Stderr, format+"\n", args...) }
