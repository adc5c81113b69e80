package process

import (
	"errors"
	"runtime"

	"github.com/cloudname/nodee/runtime/cgroup"
)

// seat is a group of version 1 that what is started is to be born into. Nothing can be cloned
// into it: the thread that forks has to be there, for that moment.
type seat struct {
	cgroup.Group
	home string // where the daemon's own threads are
	pids bool   // it limits processes
}

// within runs f, which forks, on a thread that has taken seats. A thread that cannot go back to
// where the daemon is stays locked, and so is thrown away with its goroutine.
func within(seats []seat, f func() error) (err error) {
	if len(seats) == 0 {
		return f()
	}
	runtime.LockOSThread()
	back := true
	defer func() {
		if back {
			runtime.UnlockOSThread()
		}
	}()
	for _, s := range seats {
		var leave func() error
		if leave, err = s.take(); err != nil {
			return err
		}
		defer func() {
			if e := leave(); e != nil {
				back, err = false, errors.Join(err, e)
			}
		}()
	}
	return f()
}

// take moves the calling thread into the group. It counts there as a process, so a limit for these
// is higher by one as long as it stays.
func (s seat) take() (leave func() error, err error) {
	most := 0
	if s.pids {
		most = s.MostPIDs()
	}
	if err := s.limitPIDs(most, 1); err != nil {
		return nil, err
	}
	if err := s.Enter(); err != nil {
		return nil, errors.Join(err, s.limitPIDs(most, 0))
	}
	return func() error {
		return errors.Join(cgroup.At(s.home).Enter(), s.limitPIDs(most, 0))
	}, nil
}

// limitPIDs limits the group to most processes and some more; 0 is no limit.
func (s seat) limitPIDs(most, more int) error {
	if most == 0 {
		return nil
	}
	for _, set := range (cgroup.Limits{PIDs: most + more}).V1() {
		if err := s.Set(set); err != nil {
			return err
		}
	}
	return nil
}
