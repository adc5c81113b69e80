// Command loop is what Nodee is measured against: plain Go programs that make the same
// system calls and do nothing else. They keep no records, serve nobody, have no policy and
// share no code with Nodee.
//
//	loop run DIR N PROGRAM ARGUMENT...   starts N processes, and again what has ended
//	loop adopt DIR                       opens and checks the processes of all records in DIR
//	loop write BYTES                     writes lines of a log, and how long that took
package main

import (
	"fmt"
	"os"
	"strconv"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "loop:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) >= 4 && args[0] == "run":
		n, err := strconv.Atoi(args[2])
		if err != nil {
			return err
		}
		return supervise(args[1], n, args[3:])
	case len(args) == 2 && args[0] == "adopt":
		return adopt(args[1])
	case len(args) == 2 && args[0] == "write":
		n, err := strconv.Atoi(args[1])
		if err != nil {
			return err
		}
		return write(n)
	}
	return fmt.Errorf("usage: loop run|adopt|write")
}
