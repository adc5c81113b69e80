package edge

import (
	"net"
	"net/http"
	"net/netip"
	"os/user"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/internal/sockets"
)

// callerOf says to people who sent a request: what can be known of the sender's account, the
// program, the address, and what let it in.
func callerOf(r *http.Request, trusted bool) string {
	host, peer := r.RemoteAddr, netip.AddrPort{}
	if at, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		peer = netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
		host = peer.Addr().String()
	}
	who := "somebody"
	if name := certified(r); name != "" {
		who = name
	} else if uid, ok := localUser(peer, localEnd(r)); ok {
		who = account(uid)
	}
	if program := product(r.UserAgent()); program != "" {
		who += " using " + program
	}
	how := "without the token"
	if trusted {
		how = "with the token"
	}
	return who + " from " + host + ", " + how
}

// certified is the name in the certificate that a client has shown, where it had to.
func certified(r *http.Request) string {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return ""
	}
	return plainWord(r.TLS.PeerCertificates[0].Subject.CommonName)
}

// localEnd is the daemon's own end of the connection that a request came by.
func localEnd(r *http.Request) netip.AddrPort {
	tcp, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	at := tcp.AddrPort()
	return netip.AddrPortFrom(at.Addr().Unmap(), at.Port())
}

// localUser finds the account whose socket is peer's end of a connection to self, where both
// ends are on the loopback of this host.
func localUser(peer, self netip.AddrPort) (uid int, ok bool) {
	if !peer.IsValid() || !peer.Addr().IsLoopback() {
		return 0, false
	}
	return sockets.Host{}.Owner(peer, self)
}

// account names a user of this host.
func account(uid int) string {
	id := strconv.Itoa(uid)
	if u, err := user.LookupId(id); err == nil {
		return u.Username + " (uid " + id + ")"
	}
	return "uid " + id
}

// product is the first word of a User-Agent: "curl/8.5.0".
func product(agent string) string {
	word, _, _ := strings.Cut(strings.TrimSpace(agent), " ")
	return plainWord(word)
}

// maxWord bounds what a stranger may have written into the history, in bytes.
const maxWord = 64

// plainWord is s as far as it is printable ASCII and short.
func plainWord(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s)
	return s[:min(len(s), maxWord)]
}
