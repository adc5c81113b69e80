package settings

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

// The grammars of names, as people may read them in a fault.
var (
	name     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,252}$`)
	labelKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$`)
)

// CheckNodeName tells what is wrong with the name of a node.
func CheckNodeName(s string) error {
	if complaint := matches(s, nodeName, "node name"); complaint != "" {
		return errors.New(complaint)
	}
	return nil
}

// Validate tells everything that is wrong with s, each fault located by its key.
func (s *Settings) Validate() error {
	return fault.Fields("the configuration cannot be used", s.faults())
}

func (s *Settings) faults() []fault.Field {
	var c checks
	c.add("cell", s.Cell, matches(s.Cell, name, "name"))
	c.add("prefix", s.Prefix, prefixFault(s.Prefix))
	s.Node.check(&c)
	s.HTTP.check(&c)
	s.ZooKeeper.check(&c)
	checkRepositories(&c, s.Repositories)
	c.add("unpack.max_bytes", s.Unpack.MaxBytes, positive(s.Unpack.MaxBytes))
	c.add("unpack.max_files", s.Unpack.MaxFiles, positive(s.Unpack.MaxFiles))
	c.add("unpack.max_ratio", s.Unpack.MaxRatio, positive(s.Unpack.MaxRatio))
	c.add("s3.endpoint", "", endpointFault(s.S3.Endpoint))
	c.add("memory_guard.stall", s.MemoryGuard.Stall, lengthFault(s.MemoryGuard.Stall, 50*time.Millisecond, 2*time.Second))
	c.add("memory_guard.patience", s.MemoryGuard.Patience, lengthFault(s.MemoryGuard.Patience, time.Second, 10*time.Minute))
	c.add("host.proc", s.Host.Proc, procFault(s.Host.Proc))
	c.add("coordinator.addr", s.Coordinator.Addr, addressFault(s.Coordinator.Addr))
	return c
}

// checks gathers complaints; "" is none.
type checks []fault.Field

func (c *checks) add(at string, value any, complaint string) {
	if complaint != "" {
		*c = append(*c, fault.Field{Location: at, Message: complaint, Value: value})
	}
}

func (n *Node) check(c *checks) {
	c.add("node.name", n.Name, matches(n.Name, nodeName, "node name"))
	c.add("node.cluster", n.Cluster, matches(n.Cluster, name, "name"))
	c.add("node.advertise", n.Advertise, hostFault(n.Advertise))
	seen := map[string]bool{}
	for _, label := range n.Labels {
		key, value, ok := cutLabel(label)
		switch {
		case !ok, !labelKey.MatchString(key), len(value) > 255, !printable(value):
			c.add("node.labels", label, fmt.Sprintf("%q is no label, expected key=value such as rack=r1", label))
		case seen[key]:
			c.add("node.labels", label, fmt.Sprintf("has the key %q twice", key))
		}
		seen[key] = true
	}
}

func cutLabel(label string) (key, value string, ok bool) { return strings.Cut(label, "=") }

func (h *HTTP) check(c *checks) {
	c.add("http.addr", h.Addr, addressFault(h.Addr))
	if !slices.Contains([]string{"read", "write", "never"}, h.RequireToken) {
		c.add("http.require_token", h.RequireToken, fmt.Sprintf(`is %q, expected "read", "write" or "never"`, h.RequireToken))
	}
	for _, host := range h.AllowedHosts {
		c.add("http.allowed_hosts", host, hostFault(host))
	}
	if h.TLSCert != "" && h.TLSKey == "" {
		c.add("http.tls_key", "", "is missing, http.tls_cert needs it")
	}
	if h.TLSKey != "" && h.TLSCert == "" {
		c.add("http.tls_cert", "", "is missing, http.tls_key needs it")
	}
	if h.ClientCA != "" && h.TLSCert == "" && h.TLSKey == "" {
		c.add("http.client_ca", h.ClientCA, "needs http.tls_cert and http.tls_key: without TLS clients show no certificate")
	}
}

func (z *ZooKeeper) check(c *checks) {
	seen := map[string]bool{}
	for _, server := range z.Servers {
		addr, ok := serverAddress(server)
		switch {
		case !ok:
			c.add("zookeeper.servers", server, fmt.Sprintf("%q is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path", server))
		case seen[addr]:
			c.add("zookeeper.servers", server, fmt.Sprintf("has the server %s twice", addr))
		}
		seen[addr] = true
	}
	if t := z.SessionTimeout.Std(); t < time.Second || t > 5*time.Minute {
		c.add("zookeeper.session_timeout", z.SessionTimeout, fmt.Sprintf("is %s, expected 1s to 5m", z.SessionTimeout))
	}
}

// zooKeeperPort is where ZooKeeper serves clients unless it is told otherwise.
const zooKeeperPort = "2181"

// serverAddress returns host:port of a server, and whether it is one that can be dialled. An
// IPv6 address needs its brackets, and so its port.
func serverAddress(server string) (string, bool) {
	if !strings.Contains(server, ":") {
		server = net.JoinHostPort(server, zooKeeperPort)
	}
	host, port, err := net.SplitHostPort(server)
	if err != nil || hostFault(host) != "" {
		return "", false
	}
	n, err := strconv.ParseUint(port, 10, 16)
	return net.JoinHostPort(strings.ToLower(host), strconv.FormatUint(n, 10)), err == nil && n > 0
}

func prefixFault(prefix string) string {
	switch {
	case prefix == "":
		return "is empty, expected an absolute path (the default needs XDG_STATE_HOME or HOME)"
	case !filepath.IsAbs(prefix), !printable(prefix):
		return fmt.Sprintf("is %q, expected an absolute path", prefix)
	}
	return ""
}

func procFault(proc string) string {
	if filepath.IsAbs(proc) && printable(proc) {
		return ""
	}
	return fmt.Sprintf("is %q, expected an absolute path such as /proc", proc)
}

func addressFault(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil || host != "" && hostFault(host) != "" {
		return fmt.Sprintf("is %q, expected host:port such as 127.0.0.1:7040, port 0 for a free one", addr)
	}
	return ""
}

func lengthFault(d quantity.Duration, least, most time.Duration) string {
	if d.Std() >= least && d.Std() <= most {
		return ""
	}
	return fmt.Sprintf("is %s, expected %s to %s", d, quantity.Duration(least), quantity.Duration(most))
}

func endpointFault(endpoint string) string {
	u, err := url.Parse(endpoint)
	if endpoint == "" || err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil && strings.Trim(u.Path, "/") == "" && u.RawQuery == "" {
		return ""
	}
	return "is no endpoint, expected a URL such as https://s3.example.com, without user, password and path"
}

func hostFault(host string) string {
	if _, err := netip.ParseAddr(host); err == nil || hostName.MatchString(host) {
		return ""
	}
	return fmt.Sprintf("%q is no host, expected a host name or an address, without scheme and port", host)
}

func matches(s string, grammar *regexp.Regexp, what string) string {
	if grammar.MatchString(s) {
		return ""
	}
	return fmt.Sprintf("%q is no %s, expected %s", s, what, strings.Trim(grammar.String(), "^$"))
}

func positive[N ~int | ~int64](n N) string {
	if n > 0 {
		return ""
	}
	return fmt.Sprintf("is %v, expected more than 0", n)
}

func printable(s string) bool { return strings.IndexFunc(s, unicode.IsControl) < 0 }
