package process

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
)

// group is all that one start has running: a control group, or what can be told from /proc.
type group interface {
	// lives tells whether any process of it lives; zombies do not.
	lives() (bool, error)
	// signal sends a signal to each of them.
	signal(sig unix.Signal) error
	// kill kills each of them, and does not wait.
	kill() error
	// wait waits until nothing lives.
	wait(ctx context.Context) error
	// remove forgets the group, which must be empty.
	remove() error
}

// passes is how often a group is listed for one signal. What is forked between listing and
// signalling is met by the next pass.
const passes = 3

// stormPasses is the same where what is listed is to be held still: a storm of forks is over when
// a pass meets nobody new.
const stormPasses = 100

// signalEach sends a signal once to each process that is listed, and returns which. check tells,
// of a process that was opened, whether it is still the one that was listed: the number may be
// somebody else's by then, but from then on it is the one that is looked at, or it is gone.
func signalEach(passes int, sig unix.Signal, list func() ([]int, error), check func(pid int) bool) (met map[int]bool, failed error) {
	met = map[int]bool{}
	for range passes {
		pids, err := list()
		if err != nil {
			return met, errors.Join(failed, err)
		}
		before := len(met)
		for _, pid := range pids {
			if !met[pid] {
				met[pid] = true
				failed = errors.Join(failed, signalIf(pid, sig, check))
			}
		}
		if len(met) == before {
			break
		}
	}
	return met, failed
}

// signalIf sends a signal to a process that passes a check. One that was suspended is
// woken, so that it can answer.
func signalIf(pid int, sig unix.Signal, check func(pid int) bool) error {
	p, err := openPidfd(pid)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	defer p.close()
	if !check(pid) {
		return nil
	}
	err = p.signal(sig)
	if s, e := readStat(pid); err == nil && e == nil && s.state == 'T' && sig != unix.SIGKILL && sig != unix.SIGSTOP {
		err = p.signal(unix.SIGCONT)
	}
	if errors.Is(err, errGone) {
		return nil
	}
	return err
}

// yard is where the groups of one prefix stand, each by its start's name.
type yard interface {
	// prepare makes the place for a start that has none; fs.ErrExist when it has.
	prepare(name string) (*plot, error)
	// find looks for a start by its name: see Launcher.Find.
	find(ctx context.Context, name string) (record, error)
	// list returns the names of the starts that have a place here, and whether anything of
	// each lives.
	list() (map[string]bool, error)
	// remove removes the place of a start of which nothing lives.
	remove(name string) error
	// close removes what is left of the yard itself when nothing stands in it.
	close() error
}

// plot is the place of a start that is about to begin.
type plot struct {
	group string       // its control group's folder, empty without one
	into  int          // a descriptor of that folder, for the child to be cloned into it; -1 without one
	seats []seat       // groups of version 1 that the child is to be born into
	note  func([]byte) // writes the handle down beside the start, where that is possible
	done  func()       // lets the place go: the program runs, or never will
}
