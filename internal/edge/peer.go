package edge

import (
	"bufio"
	"encoding/binary"
	"encoding/hex"
	"io"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// maxTable bounds how much is read of the kernel's table of sockets to find one, in bytes:
// some 25,000 of them. On a host with more, who asked is told without an account.
const maxTable = 4 << 20

// localUser finds the account whose socket is peer's end of a connection to self, where both
// ends are on the loopback of this host. net is the folder of the kernel's tables: /proc/net.
func localUser(net string, peer, self netip.AddrPort) (uid int, ok bool) {
	if !peer.IsValid() || !self.IsValid() || !peer.Addr().IsLoopback() {
		return 0, false
	}
	if peer.Addr().Is4() && self.Addr().Is4() {
		if uid, ok := ownerIn(filepath.Join(net, "tcp"), socketRow(peer, self, netip.Addr.As4)); ok {
			return uid, true
		}
	}
	// Also for IPv4, which a program may talk by a socket of IPv6.
	return ownerIn(filepath.Join(net, "tcp6"), socketRow(peer, self, netip.Addr.As16))
}

// socketRow is how a table tells of an established connection. Sockets in other states may be
// shown as root's, because their owner has closed them.
func socketRow[B [4]byte | [16]byte](from, to netip.AddrPort, bytes func(netip.Addr) B) string {
	const established = "01"
	return socketEnd(bytes(from.Addr()), from.Port()) + " " + socketEnd(bytes(to.Addr()), to.Port()) + " " + established + " "
}

// socketEnd writes an address as the kernel does: its 32-bit words as numbers of this machine.
func socketEnd[B [4]byte | [16]byte](addr B, port uint16) string {
	words := make([]byte, 0, 16)
	for i := 0; i < len(addr); i += 4 {
		word := binary.NativeEndian.Uint32([]byte{addr[i], addr[i+1], addr[i+2], addr[i+3]})
		words = binary.BigEndian.AppendUint32(words, word)
	}
	return strings.ToUpper(hex.EncodeToString(words) + ":" + hex.EncodeToString(binary.BigEndian.AppendUint16(nil, port)))
}

// ownerIn looks for a row in a table, and returns its column of users.
func ownerIn(table, row string) (uid int, ok bool) {
	f, err := os.Open(table)
	if err != nil {
		return 0, false
	}
	defer f.Close()
	for lines := bufio.NewScanner(io.LimitReader(f, maxTable)); lines.Scan(); {
		_, after, found := strings.Cut(lines.Text(), " "+row)
		if !found {
			continue
		}
		const user = 3 // behind queues, timers and retransmissions
		if columns := strings.Fields(after); len(columns) > user {
			uid, err := strconv.Atoi(columns[user])
			return uid, err == nil
		}
	}
	return 0, false
}
