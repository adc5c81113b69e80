package sockets

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel is asked with and answers with, sock_diag(7) and linux/inet_diag.h: the offsets
// in an inet_diag_sockid of what we write and read, and those in an inet_diag_msg.
const (
	idNear   = 0 // the port of this end, then that of the other
	idFar    = 2
	idSource = 4 // addresses have room for IPv6
	idTarget = 20
	idCookie = 40
	idSize   = 48

	diagFamily = 0
	diagState  = 1
	diagID     = 4
	diagUID    = 64
	diagInode  = 68
	diagSize   = 72
)

// request is an nlmsghdr with an inet_diag_req_v2 behind it.
type request struct {
	header   unix.NlMsghdr
	family   uint8
	protocol uint8
	_        [2]uint8
	states   uint32       // a bit for each state of the sockets that are asked for
	id       [idSize]byte // of no meaning where all are asked for
}

// dump asks for all TCP sockets of a family in a state. Of those that listen the kernel has a
// table of their own.
func dump(family, state uint8) ([]Socket, error) {
	r := request{family: family, protocol: unix.IPPROTO_TCP, states: 1 << state}
	r.header.Flags = unix.NLM_F_DUMP
	return ask(&r)
}

// find asks for the one TCP socket of a family that is an end of a connection.
func find(family uint8, near, far netip.AddrPort) (Socket, error) {
	r := request{family: family, protocol: unix.IPPROTO_TCP, states: ^uint32(0)}
	binary.BigEndian.PutUint16(r.id[idNear:], near.Port())
	binary.BigEndian.PutUint16(r.id[idFar:], far.Port())
	copy(r.id[idSource:], addressIn(family, near))
	copy(r.id[idTarget:], addressIn(family, far))
	binary.NativeEndian.PutUint64(r.id[idCookie:], ^uint64(0)) // INET_DIAG_NOCOOKIE: whichever it is
	found, err := ask(&r)
	if err != nil {
		return Socket{}, err
	}
	// Where there is no such connection, the kernel answers with who listens there.
	if len(found) != 1 || !found[0].joins(near, far) {
		return Socket{}, unix.ENOENT
	}
	return found[0], nil
}

func addressIn(family uint8, at netip.AddrPort) []byte {
	if family == unix.AF_INET {
		return at.Addr().AsSlice()
	}
	mapped := at.Addr().As16()
	return mapped[:]
}

// ask sends a question to the kernel and reads its answer.
func ask(r *request) ([]Socket, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	r.header.Len, r.header.Type = uint32(unsafe.Sizeof(*r)), unix.SOCK_DIAG_BY_FAMILY
	r.header.Flags |= unix.NLM_F_REQUEST
	if err := unix.Sendto(fd, unsafe.Slice((*byte)(unsafe.Pointer(r)), unsafe.Sizeof(*r)), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	return receive(fd)
}

// receive reads an answer: one message, or many that may come in several parts.
func receive(fd int) ([]Socket, error) {
	var found []Socket
	buf := make([]byte, 32<<10) // a part has 16 KiB at most, or what the reader's buffer has room for
	for {
		n, _, err := unix.Recvfrom(fd, buf, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil, err
		}
		messages, err := syscall.ParseNetlinkMessage(buf[:n])
		if err != nil {
			return nil, err
		}
		for _, m := range messages {
			switch m.Header.Type {
			case unix.NLMSG_DONE:
				return found, nil
			case unix.NLMSG_ERROR:
				return nil, diagError(m.Data)
			}
			s, err := parseDiag(m.Data)
			if err != nil {
				return nil, err
			}
			found = append(found, s)
			if m.Header.Flags&unix.NLM_F_MULTI == 0 {
				return found, nil
			}
		}
	}
}

// diagError reads the negative errno at the start of an nlmsgerr.
func diagError(data []byte) error {
	if len(data) < 4 {
		return errors.New("the kernel refused without a reason")
	}
	return syscall.Errno(-int32(binary.NativeEndian.Uint32(data)))
}

// parseDiag reads an inet_diag_msg.
func parseDiag(b []byte) (Socket, error) {
	if len(b) < diagSize {
		return Socket{}, fmt.Errorf("a socket's description has %d bytes, want %d", len(b), diagSize)
	}
	id, size := b[diagID:], 4
	if b[diagFamily] == unix.AF_INET6 {
		size = 16
	}
	end := func(address, port int) netip.AddrPort {
		a, _ := netip.AddrFromSlice(id[address : address+size])
		return netip.AddrPortFrom(a, binary.BigEndian.Uint16(id[port:]))
	}
	return Socket{
		Local: end(idSource, idNear), Remote: end(idTarget, idFar), state: b[diagState],
		UID: int(binary.NativeEndian.Uint32(b[diagUID:])), Inode: uint64(binary.NativeEndian.Uint32(b[diagInode:])),
	}, nil
}
