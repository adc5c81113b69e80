package process

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"

	routines "github.com/cloudname/nodee/internal/group"
)

// loose is what belongs to a start as far as /proc tells: who says so in its environment, who
// writes to the logs that the start was given, who is in the session of the main process, and
// who descends from one of these.
type loose struct {
	rec  record
	id   string // the start's own mark, as in the environment
	file string // its marker
}

// members picks the living processes of a start out of all; says tells whether a process itself
// says that it belongs there. The session of the main process counts only while the main process
// itself, be it as a zombie, keeps its number from being given to another.
func members(all []stat, rec record, self int, says func(stat) bool) []stat {
	pinned := false
	for _, s := range all {
		pinned = pinned || rec.PID != 0 && s.pid == rec.PID && s.began == rec.Began
	}
	in := map[int]bool{}
	for _, s := range all {
		// None of a start is older than its main process.
		if s.pid == self || s.began < rec.Began {
			continue
		}
		if pinned && s.session == rec.PID || !s.dead() && says(s) {
			in[s.pid] = true
		}
	}
	for grew := true; grew; {
		grew = false
		for _, s := range all {
			if !in[s.pid] && in[s.parent] && s.pid != self && s.began >= rec.Began {
				in[s.pid], grew = true, true
			}
		}
	}
	var living []stat
	for _, s := range all {
		if in[s.pid] && !s.dead() {
			living = append(living, s)
		}
	}
	return living
}

// members looks twice before it says that there are none: in the moment of exec a process
// shows no environment.
func (g loose) members() (found []stat, err error) {
	for look := 0; look < 2 && len(found) == 0; look++ {
		all, err := allProcesses()
		if err != nil {
			return nil, err
		}
		found = members(all, g.rec, os.Getpid(), func(s stat) bool { return startOf(s.pid) == g.id || bears(s.pid, g.id) })
	}
	return found, nil
}

func (g loose) lives() (bool, error) {
	found, err := g.members()
	return len(found) > 0, err
}

func (g loose) signal(sig unix.Signal) error {
	list, check := g.lister()
	_, err := signalEach(passes, sig, list, check)
	return err
}

// lister returns what lists the members, and what tells whether a number is still that of the
// one that was listed.
func (g loose) lister() (list func() ([]int, error), check func(pid int) bool) {
	began := map[int]uint64{}
	list = func() ([]int, error) {
		found, err := g.members()
		pids := make([]int, len(found))
		for i, m := range found {
			pids[i], began[m.pid] = m.pid, m.began
		}
		return pids, err
	}
	return list, func(pid int) bool {
		now, err := readStat(pid)
		return err == nil && now.began == began[pid]
	}
}

// kill suspends all first: who is suspended does not fork, and who has not lost its parent yet is
// still known by it.
func (g loose) kill() error {
	list, check := g.lister()
	met, err := signalEach(stormPasses, unix.SIGSTOP, list, check)
	for pid := range met {
		err = errors.Join(err, signalIf(pid, unix.SIGKILL, check))
	}
	return err
}

func (g loose) wait(ctx context.Context) error {
	return poll(ctx, func() (bool, error) {
		lives, err := g.lives()
		return !lives, err
	})
}

func (g loose) remove() error {
	if err := os.Remove(g.file); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// How often a question is put again whose answer nobody announces: soon at first, then
// seldom, since some of these read all of /proc.
const (
	firstGap = time.Millisecond
	lastGap  = 50 * time.Millisecond
)

// poll asks until the answer is yes, or ctx ends.
func poll(ctx context.Context, ask func() (bool, error)) error {
	for gap := firstGap; ; gap = min(2*gap, lastGap) {
		if yes, err := ask(); yes || err != nil {
			return err
		}
		if routines.Rest(ctx, gap); ctx.Err() != nil {
			return ctx.Err()
		}
	}
}
