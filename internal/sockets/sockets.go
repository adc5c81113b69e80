// Package sockets asks the kernel about the TCP and UDP sockets of this network namespace: which
// take connections or datagrams, and whose an end of a connection is.
//
// It asks by sock_diag(7), which looks at what is asked for alone. /proc/net/tcp, which tells the
// same as text, is made from a walk through the table of all connections: milliseconds of
// processor time on an idle host with much memory already. It is read where the kernel does not
// answer otherwise.
//
// The package starts no goroutine. It looks at no process: that is for who has asked.
package sockets

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Host is where to look.
type Host struct {
	Proc string // the proc file system; "" asks the kernel itself where that can be done
}

// Socket is what the kernel tells of a socket. The addresses of one of IPv6 are of IPv6, also
// where it is used for IPv4.
type Socket struct {
	Local, Remote netip.AddrPort
	UID           int // the user that made it
	Inode         uint64
	state         uint8
}

// States of sockets, as the kernel numbers them in include/net/tcp_states.h.
const (
	established = 1
	closed      = 7 // also of a UDP socket that takes datagrams from anybody
	listening   = 10
)

// Listeners finds the TCP sockets that take connections.
func (h Host) Listeners() ([]Socket, error) {
	if h.Proc == "" {
		v4, err4 := dump(unix.AF_INET, listening)
		v6, err6 := dump(unix.AF_INET6, listening)
		if err4 == nil && (err6 == nil || errors.Is(err6, unix.ENOENT)) { // as of a kernel without IPv6
			return append(v4, v6...), nil
		}
		// A kernel that does not answer such questions has the tables all the same.
	}
	return h.tables("tcp", listening)
}

// Datagrams finds the UDP sockets that take datagrams from anybody.
func (h Host) Datagrams() ([]Socket, error) {
	return h.tables("udp", closed)
}

// Owner finds the user who has made one end of a TCP connection: the one at near, whose other end
// is at far. It is not known (false) where that end is not in this network namespace, or is not
// connected any more: what its owner has closed may be shown as root's.
func (h Host) Owner(near, far netip.AddrPort) (uid int, known bool) {
	near, far = plain(near), plain(far)
	if !near.IsValid() || !far.IsValid() || near.Addr().Is4() != far.Addr().Is4() {
		return 0, false
	}
	s, err := h.lookUp(near, far)
	if err != nil {
		s, err = h.search(near, far)
	}
	return s.UID, err == nil && s.state == established
}

// lookUp asks the kernel for one end of a connection.
func (h Host) lookUp(near, far netip.AddrPort) (Socket, error) {
	if h.Proc != "" {
		return Socket{}, errors.ErrUnsupported
	}
	if near.Addr().Is4() {
		if s, err := find(unix.AF_INET, near, far); err == nil {
			return s, nil
		}
	}
	// Also for IPv4, which a program may talk by a socket of IPv6.
	return find(unix.AF_INET6, near, far)
}

// plain is where an end of a connection is, however its socket writes that.
func plain(at netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// joins tells whether a socket is one end of a connection.
func (s Socket) joins(near, far netip.AddrPort) bool {
	return plain(s.Local) == near && plain(s.Remote) == far
}
