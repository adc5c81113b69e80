package process

import (
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
// the same file for himself, or was given it by another start. A file system without locks
// leaves us with the other signs.
func markLogs(fds []uintptr, mark string) {
	for i, fd := range fds {
		lock := unix.Flock_t{Type: unix.F_WRLCK, Start: placeOf(mark) + int64(2*i), Len: 1}
		_ = unix.FcntlFlock(fd, unix.F_OFD_SETLK, &lock)
	}
}

// placeOf is where a mark's lock stands on its first log; on the second one it is two bytes
// further, so that both may be one file, and their locks are not made one.
func placeOf(mark string) int64 {
	h := fnv.New64a()
	h.Write([]byte(mark))
	return int64(h.Sum64()>>2|1<<61) &^ 3
}

// bears tells whether the standard output or error of a process bears the mark of a start.
func bears(pid int, mark string) bool { return marks(locksOf(pid), mark) }

// marks tells whether the mark of a start is among the places of locks. Either of the logs may
// have been given the other's number.
func marks(locks []int64, mark string) bool {
	at := placeOf(mark)
	return slices.Contains(locks, at) || slices.Contains(locks, at+2)
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
