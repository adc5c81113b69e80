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
	fmt.Fprintf(&text, "Measured on %s: %s, %d cores, Linux %s, %s; %d runs%s. A ratio is one of medians.\n\n",
		time.Now().UTC().Format(time.DateOnly), model(), runtime.NumCPU(), output("uname", "-r"), runtime.Version(), b.runs, n)
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

// model names the processor.
func model() string {
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		if name, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

func output(name string, args ...string) string {
	out, _ := exec.Command(name, args...).Output()
	return strings.TrimSpace(string(out))
}
