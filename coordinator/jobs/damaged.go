package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// decoded reads the record of a job that stands. One that is damaged, as a hand in ZooKeeper may
// leave it, is none, and s says so: the next write takes its place.
func (s *standing) decoded(data []byte) error {
	record, err := zkschema.DecodeJob(data)
	switch {
	case err == nil:
		s.record = &record
	case errors.Is(err, zkschema.ErrNewer):
		return unreadable(err)
	default:
		s.damaged = err
	}
	return nil
}

// recall takes the newest version that can be read in the place of a record that cannot: each
// record was written as a version too.
func (b Book) recall(ctx context.Context, name job.Name, s *standing) error {
	for _, n := range slices.Backward(s.numbers) {
		data, _, err := b.Tree.Get(ctx, b.Cell.Version(name, n), nil)
		switch {
		case errors.Is(err, keeper.ErrNoNode):
			continue
		case err != nil:
			return err
		}
		v, err := zkschema.DecodeJob(data)
		if errors.Is(err, zkschema.ErrNewer) {
			return unreadable(err)
		}
		if err == nil {
			s.record = &v
			return nil
		}
	}
	return nil
}

// lacks says why nothing can be changed of a job that there is no record of.
func (s standing) lacks(name job.Name) error {
	if s.damaged != nil && s.record == nil {
		return fault.New(fault.Conflict, "damaged-record",
			"its record in ZooKeeper is damaged, and no version of it can be read: %w; put the job again, which mends it", s.damaged)
	}
	return missing(name)
}

// damagedSettings says what to do about settings that nobody can mend who does not know the cell's id.
func damagedSettings(path string, err error) error {
	return fault.New(fault.Conflict, "damaged-record", "%w; write %s again in ZooKeeper as %s, with the id that state/assignment.json below the prefix of any node has as its cell",
		err, path, fmt.Sprintf(`{"schema":%d,"id":"..."}`, zkschema.Schema))
}
