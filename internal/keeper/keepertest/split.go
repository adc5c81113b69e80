package keepertest

import (
	"fmt"
	"regexp"
	"strings"
)

// Split stands between three servers, so that any two of them can be cut from each other.
type Split struct {
	links map[[2]int][]*Proxy // by the server that connects and the one that it connects to
}

var peerLine = regexp.MustCompile(`(?m)^server\.(\d)=(127\.0\.0\.1:\d+)(:\d+)$`)

// NewSplit puts proxies between the servers of e, which were configured and not started yet.
//
// A server tells another, when it connects for an election, at which address it is elected
// itself, and is called back there. So the proxies put their own in place of it.
func NewSplit(e *Ensemble) *Split {
	e.t.Helper()
	s := &Split{links: map[[2]int][]*Proxy{}}
	election := map[int]string{} // where each is elected, by its own configuration
	for a := 1; a <= 3; a++ {
		e.Rewrite(a, func(config string) string {
			return peerLine.ReplaceAllStringFunc(config, func(line string) string {
				m := peerLine.FindStringSubmatch(line)
				b := int(m[1][0] - '0')
				if a == b {
					election[a] = "127.0.0.1" + m[3]
					return line
				}
				proxies := []*Proxy{NewProxy(e.t, m[2]), NewProxy(e.t, "127.0.0.1"+m[3])}
				s.links[[2]int{a, b}] = proxies
				_, port, _ := strings.Cut(proxies[1].Addr, ":")
				return fmt.Sprintf("server.%d=%s:%s", b, proxies[0].Addr, port)
			})
		})
	}
	for link, proxies := range s.links {
		back := s.links[[2]int{link[1], link[0]}]
		proxies[1].Replace(election[link[0]], back[1].Addr)
	}
	return s
}

// Cut lets nothing pass between a and each of the others, until Heal.
func (s *Split) Cut(a int, others ...int) {
	for _, b := range others {
		for _, p := range append(s.links[[2]int{a, b}], s.links[[2]int{b, a}]...) {
			p.Hole()
		}
	}
}

// Heal lets everything pass.
func (s *Split) Heal() {
	for _, proxies := range s.links {
		for _, p := range proxies {
			p.Heal()
		}
	}
}
