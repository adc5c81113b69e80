package ports

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
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
	listeners, err := h.listeners()
	if err != nil {
		return Holder{}, false, err
	}
	listeners = slices.DeleteFunc(listeners, func(l Holder) bool { return l.Port != port })
	if len(listeners) == 0 {
		return Holder{}, false, nil
	}
	pids, err := h.socketPIDs()
	if err != nil {
		return Holder{}, false, err
	}
	for _, l := range listeners {
		who := pids[l.Inode]
		if own != nil && slices.ContainsFunc(who, own) {
			continue
		}
		if len(who) > 0 {
			l.PID = slices.Min(who)
			l.Command = h.command(l.PID)
		}
		return l, true, nil
	}
	return Holder{}, false, nil
}

func (h Host) path(parts ...string) string {
	proc := h.Proc
	if proc == "" {
		proc = "/proc"
	}
	return filepath.Join(append([]string{proc}, parts...)...)
}

// listeners finds the sockets that listen, without their processes.
func (h Host) listeners() ([]Holder, error) {
	if h.Proc == "" {
		v4, err4 := dumpListeners(unix.AF_INET)
		v6, err6 := dumpListeners(unix.AF_INET6)
		if err4 == nil && (err6 == nil || errors.Is(err6, unix.ENOENT)) { // as of a kernel without IPv6
			return append(v4, v6...), nil
		}
		// A kernel that does not answer such questions has the tables all the same.
	}
	return h.tables("tcp", listen)
}

// tables reads the sockets of a protocol, of both families, that are in a state, from /proc.
func (h Host) tables(protocol, state string) ([]Holder, error) {
	var all []Holder
	for _, table := range []string{protocol, protocol + "6"} {
		found, err := readTable(h.path("net", table), state)
		if table != "tcp" && errors.Is(err, fs.ErrNotExist) {
			continue // a kernel without IPv6, or without datagrams
		}
		if err != nil {
			return nil, fmt.Errorf("cannot tell which ports are in use: %w", err)
		}
		all = append(all, found...)
	}
	return all, nil
}

func readTable(path, state string) ([]Holder, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []Holder
	lines := bufio.NewScanner(f)
	lines.Scan() // the heading
	for lines.Scan() {
		l, ok, err := parseSocket(lines.Bytes(), state)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		if ok {
			found = append(found, l)
		}
	}
	return found, lines.Err()
}

// States of sockets, as the kernel numbers them.
const (
	listen      = "0A" // TCP_LISTEN
	unconnected = "07" // TCP_CLOSE, which is that of a UDP socket that takes datagrams from anybody
)

// parseSocket reads a line of /proc/net/tcp or udp; ok tells whether its socket is in a state:
//
//	sl: local_address:port remote_address:port state queues timer retransmits uid timeout inode ...
func parseSocket(line []byte, state string) (l Holder, ok bool, err error) {
	if !bytes.Contains(line, []byte(" "+state+" ")) {
		return Holder{}, false, nil // cheap: a busy host has 100,000 connections
	}
	bad := fmt.Errorf("cannot read %q", line)
	f := strings.Fields(string(line))
	if len(f) < 10 {
		return Holder{}, false, bad
	}
	if f[3] != state {
		return Holder{}, false, nil
	}
	address, port, _ := strings.Cut(f[1], ":")
	if l.Address, err = parseAddress(address); err != nil {
		return Holder{}, false, bad
	}
	n, err1 := strconv.ParseUint(port, 16, 16)
	uid, err2 := strconv.Atoi(f[7])
	inode, err3 := strconv.ParseUint(f[9], 10, 64)
	if err := errors.Join(err1, err2, err3); err != nil {
		return Holder{}, false, bad
	}
	l.Port, l.UID, l.Inode = int(n), uid, inode
	return l, true, nil
}

// parseAddress reads an address as the kernel prints it: 32-bit words of network bytes,
// each as a number of the machine's own byte order.
func parseAddress(text string) (string, error) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return "", err
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return "", fmt.Errorf("%q is no address", text)
	}
	return a.String(), nil
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
