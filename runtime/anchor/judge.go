package anchor

import (
	"syscall"
	"time"
)

// life is how a daemon's life went.
type life struct {
	status syscall.WaitStatus
	told   bool // it was passed a signal that is to end it
	up     bool // it was up
	ever   bool // it was up, or an earlier one of this anchor
	lasted time.Duration
	short  int // how many of the lives right before it were short
}

// verdict is what follows from it.
type verdict struct {
	end   bool // the anchor ends too
	code  int  // with this code
	pause time.Duration
	short int
}

const (
	shortLife  = 10 * time.Second // a daemon that ends sooner has hardly worked
	firstPause = 20 * time.Millisecond
	pauseUp    = time.Second      // the longest after a life in which the daemon was up
	pauseDown  = 10 * time.Second // the longest after one in which it was not
)

// Exit codes. With the first and the last a daemon says that another one would say the same.
const (
	codeDone   = 0
	codeFailed = 1
	codeUsage  = 2
)

// judge decides what follows from a daemon's end.
func judge(l life) verdict {
	switch {
	case l.status.Exited() && (l.told || l.status.ExitStatus() == codeDone || l.status.ExitStatus() == codeUsage):
		return verdict{end: true, code: l.status.ExitStatus()}
	case l.told && signals[l.status.Signal()]:
		return verdict{end: true, code: codeDone} // it was told so early that nobody listened yet
	case l.told:
		return verdict{end: true, code: 128 + int(l.status.Signal())}
	case l.status.Exited() && !l.ever:
		// Whoever starts a node that cannot work, because another daemon has the prefix
		// or something else the address, is to be told so.
		return verdict{end: true, code: l.status.ExitStatus()}
	case l.lasted >= shortLife:
		return verdict{}
	}
	longest := pauseDown
	if l.up {
		longest = pauseUp
	}
	return verdict{pause: min(firstPause<<min(l.short, 20), longest), short: l.short + 1}
}
