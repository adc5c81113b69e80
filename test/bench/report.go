package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// The marks in the page that figures are written between.
const (
	beginMark = "<!-- figures: written by make bench -->"
	endMark   = "<!-- end of figures -->"
)

// report writes the tables into the page at out, or to standard output.
func (b *bench) report(out string) error {
	var text bytes.Buffer
	fmt.Fprintf(&text, "Measured on %s: %s, %d cores, Linux %s, %s; %d runs, N = %d. A ratio is one of medians.\n\n",
		time.Now().UTC().Format(time.DateOnly), model(), runtime.NumCPU(), output("uname", "-r"), runtime.Version(), b.runs, b.n)
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
	before, rest, begins := strings.Cut(string(page), beginMark)
	_, after, ends := strings.Cut(rest, endMark)
	if !begins || !ends {
		return errors.New(out + " has no marks that figures are written between")
	}
	return os.WriteFile(out, []byte(before+beginMark+"\n"+text.String()+endMark+after), 0o644)
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
