package process

import (
	"errors"
	"hash/fnv"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// markLogs puts the mark of a start on the logs that it is given: a lock on one byte, far beyond
// what is written, whose place says which start it is. It is there to keep nobody out. It stays
// with the open file, which all that the start forks inherit, and tells these from who has opened
// the same file for himself, or was given it by another start. Whatever opens a log for the same
// start once more, as for a helper, takes the next free byte. A file system without locks leaves
// us with the other signs.
func markLogs(fds []uintptr, mark string) {
	for _, fd := range fds {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: placeOf(mark), Len: 1}
		for range marksOnLog {
			if err := unix.FcntlFlock(fd, unix.F_OFD_SETLK, &lock); !errors.Is(err, unix.EAGAIN) {
				break
			}
			lock.Start++
		}
	}
}

// marksOnLog is how often a log can be open for one start; a power of two.
const marksOnLog = 1 << 10

// placeOf is where the marks of a start begin.
func placeOf(mark string) int64 {
	h := fnv.New64a()
	h.Write([]byte(mark))
	return int64(h.Sum64()>>2|1<<61) &^ (marksOnLog - 1)
}

// bears tells whether the standard output or error of a process bears the mark of a start.
func bears(pid int, mark string) bool { return marks(locksOf(pid), mark) }

// marks tells whether the mark of a start is among the places of locks.
func marks(locks []int64, mark string) bool {
	first := placeOf(mark)
	return slices.ContainsFunc(locks, func(at int64) bool { return at&^(marksOnLog-1) == first })
}

// locksOf are the places of the locks on the standard output and error of a process, which /proc
// shows as "lock: 1: OFDLCK ADVISORY WRITE -1 08:01:77 <first> <last>".
func locksOf(pid int) []int64 {
	var places []int64
	for _, fd := range []string{"1", "2"} {
		info, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/fdinfo/" + fd)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(info)) {
			f := strings.Fields(line)
			if len(f) == 9 && f[0] == "lock:" && f[2] == "OFDLCK" {
				if at, err := strconv.ParseInt(f[7], 10, 64); err == nil {
					places = append(places, at)
				}
			}
		}
	}
	return places
}
