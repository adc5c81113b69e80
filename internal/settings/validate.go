package settings

import (
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
)

// The grammars of names, as people may read them in a fault.
var (
	name     = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	nodeName = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{0,252}$`)
	labelKey = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,62}$`)
	hostName = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9._-]{0,252})$`)
	// A group, or the beginning of groups: "com.example", "com.example.*", "*".
	groups = regexp.MustCompile(`^([A-Za-z0-9_+][A-Za-z0-9_.+-]{0,127}|([A-Za-z0-9_+][A-Za-z0-9_.+-]{0,125}\.)?\*)$`)
)

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
	if len(z.Servers) > 0 {
		c.add("zookeeper.servers", z.Servers, "is not supported yet, leave it empty: this node can only stand alone")
	}
	if t := z.SessionTimeout.Std(); t < time.Second || t > 5*time.Minute {
		c.add("zookeeper.session_timeout", z.SessionTimeout, fmt.Sprintf("is %s, expected 1s to 5m", z.SessionTimeout))
	}
}

func checkRepositories(c *checks, repositories []Repository) {
	seen := map[string]bool{}
	for i, r := range repositories {
		at := element("repository", i)
		switch {
		case r.Name == "":
			c.add(at+".name", "", "is missing")
		case seen[r.Name]:
			c.add(at+".name", r.Name, fmt.Sprintf("%q is the name of another repository already", r.Name))
		default:
			c.add(at+".name", r.Name, matches(r.Name, name, "name"))
		}
		seen[r.Name] = true
		r.check(c, at)
	}
}

func (r *Repository) check(c *checks, at string) {
	c.add(at+".url", nil, urlFault(r.URL)) // no value: it may hold a password
	c.add(at+".layout", r.Layout, layoutFault(r.Layout))
	for _, g := range r.Groups {
		if !groups.MatchString(g) {
			c.add(at+".groups", g, fmt.Sprintf(`%q is no group, expected one such as "com.example", or "com.example.*" for all below it`, g))
		}
	}
	if len(r.Formats) == 0 {
		c.add(at+".formats", r.Formats, "is empty, expected some of "+strings.Join(formats(), ", "))
	}
	for i, f := range r.Formats {
		switch {
		case !slices.Contains(formats(), f):
			c.add(at+".formats", f, fmt.Sprintf("%q is no format, expected some of %s", f, strings.Join(formats(), ", ")))
		case slices.Contains(r.Formats[:i], f):
			c.add(at+".formats", f, fmt.Sprintf("has %q twice", f))
		}
	}
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}?|\}`)

// layoutFault complains of a layout that is neither known nor a usable template.
func layoutFault(layout string) string {
	if layout == "maven2" || layout == "flat" {
		return ""
	}
	known := []string{"{group}", "{name}", "{version}", "{classifier}", "{-classifier}", "{ext}"}
	for _, p := range placeholder.FindAllString(layout, -1) {
		if !slices.Contains(known, p) {
			return fmt.Sprintf("has %q, expected placeholders among %s", p, strings.Join(known, " "))
		}
	}
	if !strings.Contains(layout, "{name}") || !strings.Contains(layout, "{version}") {
		return fmt.Sprintf(`is %q, expected "maven2", "flat" or a template with {name} and {version}`, layout)
	}
	return ""
}

func urlFault(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "is missing"
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "is no URL, expected one such as https://repo.example.com/releases"
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "has a query or a fragment, expected only what stands before an artifact's path"
	}
	return ""
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
