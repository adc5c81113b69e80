package notify

import (
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Notice is what a service has told of itself, in one message or in several.
type Notice struct {
	Ready     bool          // READY=1
	Reloading bool          // RELOADING=1, and no READY=1 since
	Stopping  bool          // STOPPING=1
	Alive     bool          // WATCHDOG=1
	Dead      bool          // WATCHDOG=trigger: it takes itself for broken
	Status    *string       // STATUS=, one line that can be shown; nil: it said nothing
	Watchdog  time.Duration // WATCHDOG_USEC=: its watchdog from now on; 0: it said nothing
	Extend    time.Duration // EXTEND_TIMEOUT_USEC=: it needs that much longer
}

// maxStatus is how many characters of a status are kept.
const maxStatus = 1000

// Parse reads a message: lines of KEY=VALUE. What it does not know is passed over: MAINPID, as
// the main process is the one that was started; FDSTORE, as nothing is kept over a restart; a
// service's own X_ keys.
func Parse(message []byte) Notice {
	var n Notice
	for line := range strings.SplitSeq(string(message), "\n") {
		key, value, _ := strings.Cut(line, "=")
		switch key {
		case "READY":
			n.Ready = n.Ready || value == "1"
		case "RELOADING":
			n.Reloading = n.Reloading || value == "1"
		case "STOPPING":
			n.Stopping = n.Stopping || value == "1"
		case "STATUS":
			text := shown(value)
			n.Status = &text
		case "WATCHDOG":
			n.Alive = n.Alive || value == "1"
			n.Dead = n.Dead || value == "trigger"
		case "WATCHDOG_USEC":
			n.Watchdog = microseconds(value)
		case "EXTEND_TIMEOUT_USEC":
			n.Extend = microseconds(value)
		}
	}
	return n
}

// Then returns what two notices come to, the second of which was told later.
func (n Notice) Then(m Notice) Notice {
	n.Reloading = m.Reloading || n.Reloading && !m.Ready
	n.Ready = n.Ready || m.Ready
	n.Stopping = n.Stopping || m.Stopping
	n.Alive = n.Alive || m.Alive
	n.Dead = n.Dead || m.Dead
	if m.Status != nil {
		n.Status = m.Status
	}
	if m.Watchdog != 0 {
		n.Watchdog = m.Watchdog
	}
	n.Extend = max(n.Extend, m.Extend)
	return n
}

// Empty tells whether it says nothing that is known here.
func (n Notice) Empty() bool { return n == Notice{} }

// shown makes a text fit to be shown on a terminal.
func shown(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	if runes := []rune(text); len(runes) > maxStatus {
		return string(runes[:maxStatus-1]) + "…"
	}
	return text
}

// microseconds reads a number of them; 0 where it is none, or is beyond all use.
func microseconds(value string) time.Duration {
	n, err := strconv.ParseInt(value, 10, 64)
	if err != nil || n <= 0 || n > int64(100*365*24*time.Hour/time.Microsecond) {
		return 0
	}
	return time.Duration(n) * time.Microsecond
}
