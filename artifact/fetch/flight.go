package fetch

import (
	"context"
	"errors"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/cloudname/nodee/artifact"
)

// reportEvery is how often the log tells how far a long installation is.
const reportEvery = 5 * time.Second

var errNobodyWaits = errors.New("nobody waits for it any more")

// flight is one installation under way, and those who wait for it. It is guarded by the
// Fetcher's mutex until done is closed, and does not change afterwards.
type flight struct {
	request  Request
	end      context.CancelCauseFunc
	waiting  int
	deserted bool // nobody waited any more; it comes to its end
	progress progress
	done     chan struct{}
	result   artifact.Artifact
	err      error
}

// board finds the flight that installs what is asked for, or begins one. It is nil when the
// artifact is installed. boarded tells that its result answers this request; if not, it is
// only something to wait for.
func (f *Fetcher) board(r Request) (fl *flight, boarded, began bool, err error) {
	id := r.Ref.ID()
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl = f.flights[id]; fl != nil {
		boarded = fl.request == r && !fl.deserted
		if boarded {
			fl.waiting++
		}
		return fl, boarded, false, nil
	}
	if _, ok := f.tree.Get(id); ok {
		return nil, false, false, nil
	}
	if f.closed {
		return nil, false, false, errClosed
	}
	return f.depart(r), true, true, nil
}

// depart begins a flight.
func (f *Fetcher) depart(r Request) *flight {
	id := r.Ref.ID()
	ctx, end := context.WithCancelCause(f.tasks.Context())
	fl := &flight{request: r, end: end, waiting: 1, done: make(chan struct{})}
	fl.progress.phase("looking for it", 0)
	f.flights[id] = fl
	f.tasks.Aside("install "+id.String(), func(context.Context) error {
		defer end(nil)
		began := time.Now()
		a, err := f.perform(ctx, r, &fl.progress)
		if err == nil {
			f.log.Info("installed", "artifact", id, "repository", a.Repository, "sha256", a.SHA256,
				"size_bytes", a.SizeBytes, "files", a.Files, "took", time.Since(began).Round(time.Millisecond))
		}
		f.mu.Lock()
		defer f.mu.Unlock()
		fl.result, fl.err = a, finished(ctx, err)
		delete(f.flights, id)
		close(fl.done)
		return nil
	})
	f.tasks.Aside("report on "+id.String(), func(context.Context) error {
		f.report(id, fl)
		return nil
	})
	return fl
}

// leave is called by one who boarded and does not wait until the end.
func (f *Fetcher) leave(fl *flight) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if fl.waiting--; fl.waiting == 0 {
		fl.deserted = true
		fl.end(errNobodyWaits)
	}
}

// report logs every few seconds how far a flight is, until its end.
func (f *Fetcher) report(id artifact.ID, fl *flight) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			p := fl.progress.read()
			f.log.Info("installing", "artifact", id, "phase", p.Phase, "done_bytes", p.Done, "total_bytes", p.Total)
		case <-fl.done:
			return
		}
	}
}

// Progress is how far an installation is.
type Progress struct {
	Phase string // what is done now: "downloading"
	Done  int64  // bytes of the archive
	Total int64  // bytes that Done leads up to; 0: not known
}

// Progress tells how far the installation of an artifact is, if one is under way.
func (f *Fetcher) Progress(id artifact.ID) (Progress, bool) {
	f.mu.Lock()
	fl := f.flights[id]
	f.mu.Unlock()
	if fl == nil {
		return Progress{}, false
	}
	return fl.progress.read(), true
}

// progress is written by one installation and read by whoever asks. A reader may see the
// numbers of one phase under the name of the next, for a moment.
type progress struct {
	name        atomic.Pointer[string]
	done, total atomic.Int64
}

func (p *progress) phase(name string, total int64) {
	p.name.Store(&name)
	p.done.Store(0)
	p.total.Store(total)
}

func (p *progress) read() Progress {
	now := Progress{Phase: *p.name.Load(), Done: p.done.Load(), Total: p.total.Load()}
	if now.Total > 0 {
		now.Done = min(now.Done, now.Total) // unpacking reads some bytes twice
	}
	return now
}

// isFull tells whether an error comes from a disk without space.
func isFull(err error) bool { return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) }
