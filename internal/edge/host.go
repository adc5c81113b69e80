package edge

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// unexpected returns why a request is refused whatever it asks for: it came under a name
// that is not ours (a web page that had its own name resolve to this machine), or a page of
// another origin wants to change something.
func (a *API) unexpected(r *http.Request) *Problem {
	if !expectedHost(r.Host, a.hosts) {
		return refusal(http.StatusForbidden, "host-not-allowed",
			"cannot answer requests for the host %q: use a loopback name or address, or add it to allowed_hosts in [http]", r.Host)
	}
	// The standard library takes a page that hides its origin for ours when the browser
	// vouches for it; nothing of ours hides, so a null origin is always a stranger's.
	hidden := r.Header.Get("Origin") == "null" && !safe(r.Method)
	if hidden || a.origins.Check(r) != nil {
		return refusal(http.StatusForbidden, "cross-origin",
			"cannot %s %s for a web page of another origin (%q): use the daemon's own pages, the command line, or a client that is no browser",
			r.Method, r.URL.Path, r.Header.Get("Origin"))
	}
	return nil
}

func safe(method string) bool {
	return method == http.MethodGet || method == http.MethodHead || method == http.MethodOptions
}

// hostSet normalises the names in Config.Hosts.
func hostSet(hosts []string) map[string]bool {
	set := map[string]bool{}
	for _, h := range hosts {
		if name, ok := hostName(h); ok {
			set[name] = true
		}
	}
	return set
}

// expectedHost tells whether a Host header names this daemon: by a loopback name or
// address, or by one that is allowed. The port does not count, forwarded ports are common.
func expectedHost(header string, allowed map[string]bool) bool {
	name, ok := hostName(header)
	if !ok {
		return false
	}
	if addr, err := netip.ParseAddr(name); err == nil && addr.IsLoopback() {
		return true
	}
	return name == "localhost" || strings.HasSuffix(name, ".localhost") || allowed[name]
}

// hostName returns the name or address in "name", "name:port", "[v6]:port" or "v6", in
// lower case, without a trailing dot; false where it is none of these.
func hostName(header string) (string, bool) {
	name := header
	if _, err := netip.ParseAddr(header); err != nil { // else a bare IPv6 address, its colons are no port
		if host, port, err := net.SplitHostPort(header); err == nil {
			if _, err := strconv.ParseUint(port, 10, 16); err != nil {
				return "", false
			}
			name = host
		} else {
			name = strings.TrimSuffix(strings.TrimPrefix(header, "["), "]")
		}
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if addr, err := netip.ParseAddr(name); err == nil {
		name = addr.Unmap().String()
	}
	return name, name != ""
}

// Loopback tells whether an address that a server listens on can be reached from this host alone.
func Loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// Hosts are the names that requests to a server may be addressed to, beside those of the loopback:
// where others reach it, what is allowed, and the address that it listens on, if that is a single
// one. A page in somebody's browser cannot pretend to be a literal address.
func Hosts(addr, advertise string, allowed []string) []string {
	names := append([]string{advertise}, allowed...)
	if host, _, err := net.SplitHostPort(addr); err == nil {
		if ip := net.ParseIP(host); ip != nil && !ip.IsUnspecified() {
			names = append(names, host)
		}
	}
	return names
}
