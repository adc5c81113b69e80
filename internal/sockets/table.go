package sockets

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxSearch bounds how much is read of a table to find one socket, in bytes: some 25,000 of them.
// On a host with more, who asked is told without an account.
const maxSearch = 4 << 20

// tables reads the sockets of a protocol, of both families, that are in a state.
func (h Host) tables(protocol string, state uint8) ([]Socket, error) {
	var found []Socket
	for _, name := range []string{protocol, protocol + "6"} {
		for s, err := range h.rows(name, math.MaxInt64, fmt.Sprintf(" %02X ", state)) {
			switch {
			case name != "tcp" && errors.Is(err, fs.ErrNotExist): // a kernel without IPv6, or without datagrams
			case err != nil:
				return nil, err
			case s.state == state:
				found = append(found, s)
			}
		}
	}
	return found, nil
}

// search looks for one end of a connection.
func (h Host) search(near, far netip.AddrPort) (Socket, error) {
	names := []string{"tcp", "tcp6"} // the second also for IPv4: see lookUp
	if near.Addr().Is6() {
		names = names[1:]
	}
	for _, name := range names {
		for s, err := range h.rows(name, maxSearch, fmt.Sprintf(":%04X ", near.Port())) {
			if err == nil && s.joins(near, far) {
				return s, nil
			}
		}
	}
	return Socket{}, fs.ErrNotExist
}

// rows reads the sockets of a table whose line has a text, which is cheap to look for: a busy host
// has 100,000 connections. It ends after an error, and after limit bytes.
func (h Host) rows(table string, limit int64, text string) iter.Seq2[Socket, error] {
	proc := h.Proc
	if proc == "" {
		proc = "/proc"
	}
	path := filepath.Join(proc, "net", table)
	return func(yield func(Socket, error) bool) {
		f, err := os.Open(path)
		if err != nil {
			yield(Socket{}, err)
			return
		}
		defer f.Close()
		lines := bufio.NewScanner(io.LimitReader(f, limit))
		lines.Scan() // the heading
		for lines.Scan() {
			if !bytes.Contains(lines.Bytes(), []byte(text)) {
				continue
			}
			s, err := parseRow(lines.Text())
			if err != nil {
				yield(Socket{}, fmt.Errorf("%s: %w", path, err))
				return
			}
			if !yield(s, nil) {
				return
			}
		}
		if err := lines.Err(); err != nil {
			yield(Socket{}, fmt.Errorf("%s: %w", path, err))
		}
	}
}

// parseRow reads a line of /proc/net/tcp or udp:
//
//	sl: local_address:port remote_address:port state queues timer retransmits uid timeout inode ...
func parseRow(line string) (s Socket, err error) {
	bad := fmt.Errorf("cannot read %q", line)
	f := strings.Fields(line)
	if len(f) < 10 {
		return Socket{}, bad
	}
	local, err1 := parseEnd(f[1])
	remote, err2 := parseEnd(f[2])
	state, err3 := strconv.ParseUint(f[3], 16, 8)
	uid, err4 := strconv.Atoi(f[7])
	inode, err5 := strconv.ParseUint(f[9], 10, 64)
	if errors.Join(err1, err2, err3, err4, err5) != nil {
		return Socket{}, bad
	}
	return Socket{Local: local, Remote: remote, UID: uid, Inode: inode, state: uint8(state)}, nil
}

// parseEnd reads an address and a port as the kernel prints them: of the address 32-bit words of
// network bytes, each as a number of the machine's own byte order.
func parseEnd(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	b, err := hex.DecodeString(address)
	if err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i+4 <= len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	if !ok {
		return netip.AddrPort{}, fmt.Errorf("%q is no address", address)
	}
	n, err := strconv.ParseUint(port, 16, 16)
	return netip.AddrPortFrom(a, uint16(n)), err
}
