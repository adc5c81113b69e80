package anchor

// Mark is what an anchor tells the daemon that it starts.
type Mark struct {
	Anchor int    // the anchor's pid; 0: this process has none
	Line   int    // the descriptor of the line to the anchor
	Life   int    // which of the anchor's daemons this is, from 1
	Last   int    // how the one before ended, as wait tells it; meaningless in the first life
	Path   string // where the program is, also when another file has taken its place since
}

// Told returns what this process was told by its anchor.
func Told() Mark { return mark }

// Environ returns the variable that says m to a program that this process executes.
func (m Mark) Environ() string {
	b := []byte(variable + "=daemon")
	for _, n := range []int{m.Anchor, m.Line, m.Life, m.Last} {
		b = appendNumber(append(b, ':'), uint64(n))
	}
	return string(append(append(b, ':'), m.Path...))
}

// parseMark is the reverse of Environ, for the variable's value.
func parseMark(s string) (m Mark, ok bool) {
	const head = "daemon"
	if len(s) < len(head) || s[:len(head)] != head {
		return Mark{}, false
	}
	rest := s[len(head):]
	for _, to := range []*int{&m.Anchor, &m.Line, &m.Life, &m.Last} {
		if rest == "" || rest[0] != ':' {
			return Mark{}, false
		}
		n, digits := number(rest[1:])
		if digits == 0 {
			return Mark{}, false
		}
		*to, rest = int(n), rest[1+digits:]
	}
	if rest == "" || rest[0] != ':' {
		return Mark{}, false
	}
	m.Path = rest[1:]
	return m, true
}

// number reads the digits that s begins with, and tells how many they are.
func number(s string) (n uint64, digits int) {
	for digits < len(s) && s[digits] >= '0' && s[digits] <= '9' {
		n = n*10 + uint64(s[digits]-'0')
		digits++
	}
	return n, digits
}

func appendNumber(b []byte, n uint64) []byte {
	if n >= 10 {
		b = appendNumber(b, n/10)
	}
	return append(b, byte('0'+n%10))
}
