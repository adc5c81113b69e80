package process

import (
	"errors"

	routines "github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/runtime/cgroup"
)

// seat is a group of version 1 that what is started is to be born into. Nothing can be cloned
// into it: the thread that forks has to be there, for that moment.
type seat struct {
	cgroup.Group
	home string // where the daemon's own threads are
	pids bool   // it limits processes
}

// within runs f, which forks, on a thread of its own that has taken seats. f may do to the
// thread what cannot be undone: it is thrown away. To have a helper program between daemon
// and service change itself instead would cost an exec of it, 7 ms where that is ourselves.
func within(seats []seat, f func() error) (err error) {
	for _, s := range seats {
		narrow, e := s.widen()
		if e != nil {
			return errors.Join(err, e)
		}
		defer func() { err = errors.Join(err, narrow()) }()
	}
	routines.Thread(func() {
		for _, s := range seats {
			var leave func()
			if leave, err = s.take(); err != nil {
				return
			}
			defer leave()
		}
		err = f()
	})
	return err
}

// take moves the calling thread into the group. The way back is opened before: the thread may
// be bounded when it leaves. One that cannot leave does so with its end, only a moment later.
func (s seat) take() (leave func(), err error) {
	home, err := cgroup.At(s.home).Door()
	if err != nil {
		return nil, err
	}
	if err := s.Enter(); err != nil {
		home.Close()
		return nil, err
	}
	return func() {
		_ = home.Enter()
		home.Close()
	}, nil
}

// widen raises the group's limit for processes by one, as a thread counts as one while it has
// a seat. A program that forks before it is narrowed again may so have one more than it should.
func (s seat) widen() (narrow func() error, err error) {
	most := 0
	if s.pids {
		most = s.MostPIDs()
	}
	return func() error { return s.limitPIDs(most, 0) }, s.limitPIDs(most, 1)
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
