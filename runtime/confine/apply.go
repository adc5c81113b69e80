package confine

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// mostBeside bounds what is granted one by one. Each costs a start about 5 us, and the kernel 70
// bytes for as long as the process lives.
const mostBeside = 10_000

// apply grants what a rule names. It opens first and looks then where that really is, so that
// no link can be put in its way in between.
func (g *Guard) apply(ruleset int, r Rule, protected []string) error {
	if r.Around != nil {
		paths := beside(r.Path, r.Around, g.names)
		if len(paths) > g.most {
			return fmt.Errorf("cannot let it write all that stands beside Nodee's own folders: that is more than %d files and folders; move the prefix to a folder that holds less, or leave access.confine at true", g.most)
		}
		for _, path := range paths {
			g.applyBeside(ruleset, path)
		}
		return nil
	}
	fd, err := unix.Open(r.Path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return r.absent(err)
	}
	defer unix.Close(fd)
	real, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err == nil {
		err = Meets(real, protected)
	}
	switch {
	case err == nil:
		return grant(ruleset, fd, g.abi)
	case r.Common:
		return nil
	}
	return fmt.Errorf("cannot let it write %s: %w", r.Path, err)
}

// absent says that what a rule names cannot be opened, where that matters.
func (r Rule) absent(err error) error {
	switch {
	case r.Common, r.Own:
		return nil
	case errors.Is(err, unix.ENOENT):
		return fmt.Errorf("cannot let it write %s: it is not there; make it, or take it out of access.write", r.Path)
	}
	return fmt.Errorf("cannot let it write %s: %w", r.Path, err)
}

// applyBeside grants what stands beside the way to a protected folder. It follows no link:
// where it leads is granted in its own place. What is gone again needs no right.
func (g *Guard) applyBeside(ruleset int, path string) {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return
	}
	defer unix.Close(fd)
	_ = grant(ruleset, fd, g.abi) // fails for what cannot be written at all
}

// names lists a folder, unsorted, as far as that is of use; nothing where it cannot be read.
func (g *Guard) names(dir string) []string {
	f, err := os.Open(dir)
	if err != nil {
		return nil
	}
	defer f.Close()
	all, _ := f.Readdirnames(g.most + 2) // one of them is the way down
	return all
}
