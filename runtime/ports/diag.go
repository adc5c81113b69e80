package ports

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What the kernel answers with, sock_diag(7) and linux/inet_diag.h: the offsets of what we
// read in an inet_diag_msg.
const (
	diagFamily = 0
	diagSource = 4 // the port, then 2 bytes of the other end's, then the address
	diagUID    = 64
	diagInode  = 68
	diagSize   = 72
)

// diagRequest is an nlmsghdr with an inet_diag_req_v2 behind it.
type diagRequest struct {
	header   unix.NlMsghdr
	family   uint8
	protocol uint8
	_        [2]uint8
	states   uint32    // a bit for each state of TCP that is asked for
	_        [48]uint8 // inet_diag_sockid: of no meaning where all are asked for
}

const tcpListen = 10 // of the states in include/net/tcp_states.h

// dumpListeners asks the kernel for the sockets of a family that listen. The kernel looks
// through its table of those alone, while /proc/net/tcp is made from a walk through the table
// of all connections, which takes milliseconds on an idle host with much memory already.
func dumpListeners(family uint8) ([]Holder, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	r := diagRequest{family: family, protocol: unix.IPPROTO_TCP, states: 1 << tcpListen}
	r.header = unix.NlMsghdr{Len: uint32(unsafe.Sizeof(r)), Type: unix.SOCK_DIAG_BY_FAMILY, Flags: unix.NLM_F_REQUEST | unix.NLM_F_DUMP}
	request := unsafe.Slice((*byte)(unsafe.Pointer(&r)), unsafe.Sizeof(r))
	if err := unix.Sendto(fd, request, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, err
	}
	return receive(fd)
}

// receive reads the answer, which may come in several parts.
func receive(fd int) ([]Holder, error) {
	var found []Holder
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
			l, err := parseDiag(m.Data)
			if err != nil {
				return nil, err
			}
			found = append(found, l)
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
func parseDiag(b []byte) (Holder, error) {
	if len(b) < diagSize {
		return Holder{}, fmt.Errorf("a socket's description has %d bytes, want %d", len(b), diagSize)
	}
	size := 4
	if b[diagFamily] == unix.AF_INET6 {
		size = 16
	}
	address, _ := netip.AddrFromSlice(b[diagSource+4 : diagSource+4+size])
	return Holder{
		Port: int(binary.BigEndian.Uint16(b[diagSource:])), Address: address.String(),
		UID: int(binary.NativeEndian.Uint32(b[diagUID:])), Inode: uint64(binary.NativeEndian.Uint32(b[diagInode:])),
	}, nil
}
