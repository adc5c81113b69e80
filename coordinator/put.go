package coordinator

import (
	"time"

	"github.com/cloudname/nodee/coordinator/mirror"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// put tells the cell what stands at one place.
func (l *loop) put(c mirror.Change, now time.Time) {
	switch c.Kind {
	case mirror.Node:
		l.detail(c)
		l.cell.PutNode(c.Name, record[zkschema.Node](c), c.Err, now)
	case mirror.Report:
		l.detail(c)
		l.cell.PutReport(c.Name, record[zkschema.Report](c), c.Err, now)
	case mirror.Policy:
		l.cell.PutPolicy(c.Name, record[zkschema.Policy](c), c.Err)
	case mirror.Assignment:
		l.cell.PutAssignment(c.Name, record[zkschema.Assignment](c), c.Version, c.Err, now)
	case mirror.Settings:
		l.cell.PutSettings(record[zkschema.Settings](c), c.Err)
		l.settings = known(c, l.settings)
	case mirror.Leader:
		l.leader = known(c, l.leader)
	case mirror.Job, mirror.Deployment:
		name, err := job.ParseName(c.Name)
		if err != nil {
			return // the mirror tells of none
		}
		if c.Kind == mirror.Job {
			l.cell.PutJob(name, record[zkschema.Job](c), c.Version, c.Err)
		} else {
			l.cell.PutDeployment(name, record[zkschema.Deployment](c), c.Version, c.Err)
		}
	}
}

// record is what stands there; nil where nothing does, or nothing that can be read.
func record[T any](c mirror.Change) *T {
	if r, ok := c.Record.(T); ok {
		return &r
	}
	return nil
}

// known is what stands there, or what stood there before where it cannot be read.
func known[T any](c mirror.Change, before *T) *T {
	if c.Err != nil {
		return before
	}
	return record[T](c)
}

// standing is what this coordinator has written itself, until the mirror has seen that: what the
// mirror has read before it was written, and tells only now, is not believed. Should somebody
// delete a record and make it anew, the next write finds out.
type standing map[spot]int32

type spot struct {
	kind mirror.Kind
	name string
}

func (s standing) wrote(c mirror.Change) {
	if c.Record == nil {
		delete(s, spot{c.Kind, c.Name})
		return
	}
	s[spot{c.Kind, c.Name}] = c.Version
}

func (s standing) outdated(c mirror.Change) bool {
	at := spot{c.Kind, c.Name}
	version, ok := s[at]
	if ok && c.Record != nil && c.Version < version {
		return true
	}
	delete(s, at)
	return false
}
