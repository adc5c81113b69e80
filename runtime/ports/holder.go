package ports

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"github.com/cloudname/nodee/internal/sockets"
)

// Host is where to look at what listens.
type Host struct {
	Proc string // the proc file system; "" asks the kernel itself where that can be done
}

// Holder is somebody who listens on a port.
type Holder struct {
	Port    int
	Address string // that it listens on: "127.0.0.1", "::"
	PID     int    // the lowest, where several share the socket; 0 when this daemon may not see it
	Command string // its name in the kernel; "" without PID
	UID     int    // the user that made the socket
	Inode   uint64 // of the socket
}

// String says it to people: "port 8080 is held by nginx (pid 812)".
func (h Holder) String() string {
	if h.PID == 0 {
		return fmt.Sprintf("port %d is held by a process of uid %d that cannot be looked at from here", h.Port, h.UID)
	}
	return fmt.Sprintf("port %d is held by %s (pid %d)", h.Port, h.Command, h.PID)
}

// Holder finds out who listens on a TCP port now, on whatever address. Sockets that a
// process has for which own says yes do not count; a nil own counts all. As long as nobody
// listens, no process is looked at.
func (h Host) Holder(port int, own func(pid int) bool) (Holder, bool, error) {
	listeners, err := sockets.Host{Proc: h.Proc}.Listeners()
	if err != nil {
		return Holder{}, false, cannotTell(err)
	}
	listeners = slices.DeleteFunc(listeners, func(s sockets.Socket) bool { return int(s.Local.Port()) != port })
	if len(listeners) == 0 {
		return Holder{}, false, nil
	}
	pids, err := h.socketPIDs()
	if err != nil {
		return Holder{}, false, err
	}
	for _, s := range listeners {
		who := pids[s.Inode]
		if own != nil && slices.ContainsFunc(who, own) {
			continue
		}
		found := Holder{Port: port, Address: s.Local.Addr().String(), UID: s.UID, Inode: s.Inode}
		if len(who) > 0 {
			found.PID = slices.Min(who)
			found.Command = h.command(found.PID)
		}
		return found, true, nil
	}
	return Holder{}, false, nil
}

func cannotTell(err error) error {
	return fmt.Errorf("cannot tell which ports are in use: %w", err)
}

func (h Host) path(parts ...string) string {
	proc := h.Proc
	if proc == "" {
		proc = "/proc"
	}
	return filepath.Join(append([]string{proc}, parts...)...)
}

// socketPIDs reads which processes have which sockets open, by inode, as far as this process
// may see it.
func (h Host) socketPIDs() (map[uint64][]int, error) {
	names, err := readNames(h.path())
	if err != nil {
		return nil, fmt.Errorf("cannot tell who listens: %w", err)
	}
	pids := map[uint64][]int{}
	for _, name := range names {
		pid, err := strconv.Atoi(name)
		if err != nil {
			continue
		}
		fds, err := readNames(h.path(name, "fd"))
		if err != nil {
			continue // ended meanwhile, or somebody else's
		}
		for _, fd := range fds {
			target, err := os.Readlink(h.path(name, "fd", fd))
			if inode, ok := socketInode(target); err == nil && ok && !slices.Contains(pids[inode], pid) {
				pids[inode] = append(pids[inode], pid)
			}
		}
	}
	return pids, nil
}

// socketInode reads the target of a descriptor's link: "socket:[4711]".
func socketInode(target string) (uint64, bool) {
	number, ok := strings.CutPrefix(target, "socket:[")
	if !ok {
		return 0, false
	}
	inode, err := strconv.ParseUint(strings.TrimSuffix(number, "]"), 10, 64)
	return inode, err == nil
}

// readNames reads the names in a folder, in no order and without looking at each.
func readNames(dir string) ([]string, error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// command reads a process's name. A process may call itself anything: what cannot be
// printed is not.
func (h Host) command(pid int) string {
	b, err := os.ReadFile(h.path(strconv.Itoa(pid), "comm"))
	if err != nil {
		return "a process that has just ended"
	}
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, strings.TrimSuffix(string(b), "\n"))
}
