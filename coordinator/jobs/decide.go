package jobs

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// The changes of a job.
const (
	changePut     = "put"
	changeScale   = "scale"
	changeStop    = "stop"
	changeRestart = "restart"
	changeRevert  = "revert"
	changeRemove  = "remove"
)

// wish is what somebody asks of a job, given how it stands. It is not called where Options say
// that it stands otherwise than it should.
type wish func(s standing) (zkschema.Job, error)

// match tells whether a job stands as who asks has seen it.
func match(name job.Name, s standing, want *int) error {
	is := 0
	if s.exists() {
		is = s.record.Job.Version
	}
	switch {
	case want == nil || *want == is:
		return nil
	case is == 0:
		return fault.New(fault.Stale, "version-differs", "the job %s is not there, version %d of it was asked for", name, *want)
	case *want == 0:
		return fault.New(fault.Stale, "version-differs", "the job %s is there already, at version %d", name, is)
	}
	return fault.New(fault.Stale, "version-differs", "the job %s is at version %d, not at %d: look at what has changed, then ask again", name, is, *want)
}

// next completes the record that is to take the place of what stands: its number, its spec's
// digest, since when it is this job, and, where the wish does not name one, the revision. That is a new one where instances
// would be something else, or are to be made anew, or are started again after a stop, since what
// has come of them before says nothing now; or are another job's: one that was removed has nothing
// to do with the next one.
func next(s standing, r zkschema.Job) (_ zkschema.Job, spec []byte, err error) {
	digest, spec, err := zkschema.EncodeSpec(r.Job.Spec)
	if err != nil {
		return r, nil, err
	}
	r.Job.Version = 1
	if len(s.numbers) > 0 {
		r.Job.Version = slices.Max(s.numbers) + 1
	}
	if s.record != nil {
		r.Job.Version = max(r.Job.Version, s.record.Job.Version+1)
	}
	r.Spec, r.Born = digest, r.Job.Version
	if s.exists() {
		r.Born = s.record.Born
	}
	switch {
	case r.Revision != 0:
	case s.exists() && s.record.Spec == digest && !anew(r) && (r.Job.Stopped || !s.record.Job.Stopped):
		r.Revision = s.record.Revision
	default:
		r.Revision = r.Job.Version
	}
	return r, spec, nil
}

// becomes tells whether the instances of a job that runs are to become what the digest is of, and
// are something else: one that was stopped begins anew, whatever it was before.
func (s standing) becomes(digest string) bool {
	return s.exists() && !s.record.Job.Stopped && s.record.Spec != digest
}

// has tells whether there is a revision to go back to: its version is kept, and is this job's, not
// that of a removed one of its name.
func (s standing) has(revision int) bool {
	return slices.Contains(s.numbers, revision) && revision >= s.record.Born
}

// anew tells whether a record asks for something though the job say the same: a restart does, and
// the coordinator's own revert, which may undo one.
func anew(r zkschema.Job) bool {
	return r.Change == changeRestart || r.Change == changeRevert && r.Why != ""
}

// dropped are the versions that go when n is written: all but the newest KeptVersions beside it,
// and those that are pinned.
func dropped(numbers []int, n int, pinned map[int]bool) []int {
	older := slices.DeleteFunc(slices.Clone(numbers), func(k int) bool { return k >= n })
	older = older[:max(0, len(older)-zkschema.KeptVersions)]
	older = slices.DeleteFunc(older, func(k int) bool { return pinned[k] })
	return older[:min(len(older), maxDropped)]
}

// maxDropped is how many versions one multi drops at most. More than one is rare.
const maxDropped = 50

// change is the wish for another content of a job that is there.
func change(name job.Name, what string, edit func(*job.Job) error) wish {
	return func(s standing) (zkschema.Job, error) {
		if !s.exists() {
			return zkschema.Job{}, s.lacks(name)
		}
		j := s.record.Job
		err := edit(&j)
		return zkschema.Job{Job: j, Change: what}, err
	}
}

// checked holds a job against the same rules as one that is put.
func checked(j job.Job) error {
	text, err := json.Marshal(j)
	if err == nil {
		_, err = job.Decode(text, document.JSON, "body.")
	}
	return err
}

// scale is the wish for another number of instances.
func scale(name job.Name, count int) wish {
	return change(name, changeScale, func(j *job.Job) error {
		if j.Type == job.System {
			return fault.New(fault.Conflict, "system-job", "it is a system job: it has one instance on each node that matches; change its constraints, or the nodes")
		}
		j.Count = count
		return checked(*j)
	})
}

// stop is the wish that nothing of a job runs.
func stop(name job.Name) wish {
	return change(name, changeStop, func(j *job.Job) error {
		j.Stopped = true
		return nil
	})
}

// restart is the wish that every instance is made anew; a stopped job runs again.
func restart(name job.Name) wish {
	return change(name, changeRestart, func(j *job.Job) error {
		j.Stopped = false
		return nil
	})
}

// remove is the wish that a job is forgotten, once nothing of it runs.
func remove(name job.Name) wish {
	return func(s standing) (zkschema.Job, error) {
		if !s.exists() {
			return zkschema.Job{}, s.lacks(name)
		}
		r := zkschema.Job{Job: s.record.Job, Change: changeRemove, Removed: true}
		return r, nil
	}
}

// unchanged tells whether a wish asks for what stands already.
func unchanged(s standing, r zkschema.Job) bool {
	return s.exists() && s.damaged == nil && !r.Removed && !anew(r) && s.record.Job.Equal(r.Job)
}

// encode writes a record, unless it is too large to be written as often as it must be.
func encode(r zkschema.Job) ([]byte, error) {
	data, err := r.Encode()
	if err == nil && len(data) > maxRecord {
		err = fault.New(fault.TooLarge, "job-too-large",
			"its record would have %d bytes, and ZooKeeper is given at most %d: put large files and texts into an artifact", len(data), maxRecord)
	}
	return data, err
}

// maxRecord is how large a record may be, in bytes: two of them, and a little more, are written
// in one request.
const maxRecord = zkschema.MaxRequest/2 - zkschema.MaxRequest/16

// whose says what could not be done to which job.
func whose(what string, name job.Name, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("cannot %s the job %s: %w", what, name, err)
}
