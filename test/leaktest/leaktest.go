// Package leaktest looks for goroutines that a package's tests left blocked for ever.
//
// The tests of a package that starts goroutines hand their run to Main:
//
//	func TestMain(m *testing.M) { leaktest.Main(m) }
//
// Go finds such goroutines when it is told to, so only "make leaks" does, which sets
// GOEXPERIMENT=goroutineleakprofile; in every other run Main runs the tests and no more.
// The package starts no goroutine. It does not tell of goroutines that run or may still be
// woken up: those a test finds by waiting for their group.
package leaktest

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
	"testing"
)

// Main runs the tests and exits, with 1 if they failed or goroutines leaked.
func Main(m *testing.M) {
	code := m.Run()
	if code == 0 && leaked(os.Stderr) {
		code = 1
	}
	os.Exit(code)
}

// leaked writes the stacks of leaked goroutines to w, and tells whether there are any.
func leaked(w io.Writer) bool {
	profile := pprof.Lookup("goroutineleak")
	if profile == nil {
		return false // not asked for
	}
	// Writing the profile is what looks for leaks: Count tells what was found then.
	var stacks bytes.Buffer
	if err := profile.WriteTo(&stacks, 1); err != nil {
		fmt.Fprintln(w, "cannot look for leaked goroutines:", err)
		return true
	}
	if profile.Count() == 0 {
		return false
	}
	fmt.Fprintf(w, "goroutines have leaked, nothing can wake them up again:\n%s", &stacks)
	return true
}
