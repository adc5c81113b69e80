package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The marks in the page that the figures of a section are written between.
const (
	beginMark = "<!-- figures of %s: written by make bench -->"
	endMark   = "<!-- end of figures -->"
)

// report writes the tables of a section into the page at out, or to standard output.
func (b *bench) report(s section, out string) error {
	var text bytes.Buffer
	n := ""
	if s.services {
		n = fmt.Sprintf(", N = %d", b.n)
	}
	about := ""
	if s.about != nil {
		about = "; " + s.about(b)
	}
	fmt.Fprintf(&text, "Measured on %s: %s, %d cores, Linux %s, %s; %d runs%s%s; load average %s before it. A ratio is one of medians.\n\n",
		time.Now().UTC().Format(time.DateOnly), processor(), runtime.NumCPU(), output("uname", "-r"), runtime.Version(), b.runs, n, about, b.load)
	for _, t := range b.tables {
		if len(t.peers) > 0 {
			t.write(&text)
		}
	}
	if out == "" {
		_, err := os.Stdout.Write(text.Bytes())
		return err
	}
	page, err := os.ReadFile(out)
	if err != nil {
		return err
	}
	begin := fmt.Sprintf(beginMark, s.name)
	before, rest, begins := strings.Cut(string(page), begin)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return fmt.Errorf("%s has no marks that the figures of %s are written between", out, s.name)
	}
	return os.WriteFile(out, []byte(before+begin+"\n"+text.String()+endMark+after), 0o644)
}

// processor names it.
func processor() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// load is how many processes have run or waited for a processor in the last minute.
func load() string {
	b, _ := os.ReadFile("/proc/loadavg")
	first, _, _ := strings.Cut(string(b), " ")
	return first
}

func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out))
}
