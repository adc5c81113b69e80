package presence

import (
	"bytes"
	"maps"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// written is what this session has at a path.
type written struct {
	data    []byte
	version int32
	earlier bool // it is of an own earlier session, and must be replaced before that ends
}

// batch is what is written in one request.
type batch struct {
	ops   []keeper.Op
	items []item // what each of ops is for; the zero item is a check or a deletion
	bytes int
}

// Bounds of what is written. A batch is a second's worth at the most.
const (
	bytesPerSecond = 50_000
	gap            = 250 * time.Millisecond // so at most four writes a second
	batchOps       = keeper.MaxOps - 1      // and one check
	opBytes        = 48                     // what the protocol adds to an operation, at the most
)

// diff makes the next batch that brings have closer to want; an empty one when nothing
// differs. What is no longer wanted goes first: nobody must be sent to what is gone. check is
// the check that guarded items need.
func diff(want []item, have map[string]written, check keeper.Op) batch {
	var b batch
	wanted := make(map[string]bool, len(want))
	for _, i := range want {
		wanted[i.path] = true
	}
	for _, path := range slices.Sorted(maps.Keys(have)) {
		if !wanted[path] && len(b.ops) < batchOps {
			b.add(keeper.Delete(path, have[path].version), item{path: path, ephemeral: true})
		}
	}
	guarded := false
	for _, i := range want {
		h, there := have[i.path]
		if there && !h.earlier && bytes.Equal(h.data, i.data) {
			continue
		}
		if len(b.ops) > 0 && (b.bytes+len(i.data)+3*(len(i.path)+opBytes) > bytesPerSecond || len(b.ops) >= batchOps-2) {
			break
		}
		if i.guarded && !guarded {
			b.add(check, item{})
			guarded = true
		}
		if h.earlier { // in one request, so that nobody sees it gone
			b.add(keeper.Delete(i.path, h.version), i)
			there = false
		}
		b.add(i.op(h, there), i)
	}
	return b
}

func (i item) op(h written, there bool) keeper.Op {
	switch {
	case there:
		return keeper.Set(i.path, i.data, h.version)
	case i.ephemeral:
		return keeper.CreateEphemeral(i.path, i.data)
	}
	return keeper.Create(i.path, i.data)
}

func (b *batch) add(o keeper.Op, i item) {
	b.ops, b.items = append(b.ops, o), append(b.items, i)
	b.bytes += len(o.Path) + len(o.Data) + opBytes
}

// pause is how long nothing is written after a batch.
func (b batch) pause() time.Duration {
	return max(gap, time.Duration(b.bytes)*time.Second/bytesPerSecond)
}

// applied notes what a batch has done.
func (b batch) applied(have map[string]written, versions []int32) {
	for n, o := range b.ops {
		switch o.Kind {
		case keeper.KindDelete:
			delete(have, o.Path)
		case keeper.KindCheck:
		default:
			have[o.Path] = written{data: o.Data, version: versions[n]}
		}
	}
}

// checkOf is what must hold for guarded items.
func checkOf(cell zkschema.Cell, name string, incarnation int32) keeper.Op {
	return keeper.Check(cell.Incarnation(name), incarnation)
}
