package anchor

// The file of exits is a ring of slots, each with a line of text: whatever happens, it never
// grows, and no write of the anchor needs more room on the disk. Only who leads a session is
// written down, as the main process of every start does: what such a process has left behind
// in its own session would push the others out.
const (
	SlotSize = 128
	Slots    = 4096
)

// Exit is how a process ended that the anchor has reaped.
type Exit struct {
	Seq    uint64 // its number among the exits of this boot, from 1
	PID    int
	Began  uint64 // the process's start, in clock ticks since boot
	Status uint32 // as wait tells it
	Nanos  int64  // when it was reaped, since 1970
	Group  string // what follows the last @ in the name of its control group; "" when that is no plain word
}

// maxGroup is how long Group may be.
const maxGroup = 40

// slot returns what is written down, and where.
func (e Exit) slot() (text []byte, at int64) {
	text = make([]byte, 0, SlotSize)
	for _, n := range []uint64{e.Seq, uint64(e.PID), e.Began, uint64(e.Status), uint64(e.Nanos)} {
		text = append(appendNumber(text, n), ' ')
	}
	text = append(text, e.Group...)
	for len(text) < SlotSize-1 {
		text = append(text, ' ')
	}
	return append(text, '\n'), int64(e.Seq%Slots) * SlotSize
}

// ParseExit reads a slot; an empty one, or one that is torn, is none.
func ParseExit(slot []byte) (e Exit, ok bool) {
	if len(slot) != SlotSize || slot[SlotSize-1] != '\n' {
		return Exit{}, false
	}
	rest := string(slot)
	var fields [5]uint64
	for i := range fields {
		n, digits := number(rest)
		if digits == 0 || rest[digits] != ' ' {
			return Exit{}, false
		}
		fields[i], rest = n, rest[digits+1:]
	}
	group := 0
	for rest[group] != ' ' && rest[group] != '\n' {
		group++
	}
	return Exit{fields[0], int(fields[1]), fields[2], uint32(fields[3]), int64(fields[4]), rest[:group]}, fields[0] > 0
}

// groupIn finds in /proc/<pid>/cgroup what follows the last @ of a group's name. A process
// belongs to its groups until it is reaped.
func groupIn(text []byte) string {
	for len(text) > 0 {
		end := 0
		for end < len(text) && text[end] != '\n' {
			end++
		}
		line := string(text[:end])
		text = text[min(end+1, len(text)):]
		at := len(line)
		for at > 0 && isPlain(line[at-1]) {
			at--
		}
		if at > 0 && line[at-1] == '@' && len(line)-at <= maxGroup {
			return line[at:]
		}
	}
	return ""
}

func isPlain(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// stat is what the anchor wants to know of a process.
type stat struct {
	session int
	began   uint64
}

// parseStat reads a line of /proc/<pid>/stat. The name in it may hold anything, so what
// follows is counted from the last parenthesis.
func parseStat(line []byte) (s stat, ok bool) {
	end := len(line) - 1
	for end >= 0 && line[end] != ')' {
		end--
	}
	if end < 0 {
		return stat{}, false
	}
	field := 2 // the name's
	for i := end + 1; i < len(line); i++ {
		if line[i] != ' ' {
			continue
		}
		field++
		switch n, digits := number(string(line[i+1 : min(i+21, len(line))])); {
		case field == 6:
			s.session = int(n)
		case field == 22:
			s.began = n
			return s, digits > 0
		}
	}
	return stat{}, false
}
