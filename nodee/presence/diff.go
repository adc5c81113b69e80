package presence

import (
	"bytes"
	"cmp"
	"slices"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// written is what there is at a path that is this node's.
type written struct {
	data    []byte
	version int32
	earlier bool // it is of an own earlier session, and must be replaced before that ends
}

// edit is what makes one path as it is wanted.
type edit struct {
	item
	has   written
	there bool // has says something
	gone  bool // nothing is wanted there any more
}

// diff finds what has to be done until what is there is as wanted. What skip says is left
// as it is.
func diff(want []item, have map[string]written, skip func(path string) bool) []edit {
	var out []edit
	wanted := make(map[string]bool, len(want))
	for _, i := range want {
		wanted[i.path] = true
		has, there := have[i.path]
		if skip(i.path) || there && !has.earlier && bytes.Equal(has.data, i.data) {
			continue
		}
		out = append(out, edit{item: i, has: has, there: there})
	}
	for path, has := range have {
		if !wanted[path] && !skip(path) {
			out = append(out, edit{item: item{path: path, lane: statuses, ephemeral: true}, has: has, there: true, gone: true})
		}
	}
	return out
}

// ops are the operations of an edit. What is replaced is so in one request, so that nobody
// sees it gone.
func (c edit) ops() []keeper.Op {
	create := keeper.Create(c.path, c.data)
	if c.ephemeral {
		create = keeper.CreateEphemeral(c.path, c.data)
	}
	switch {
	case c.gone:
		return []keeper.Op{keeper.Delete(c.path, c.has.version)}
	case c.there && c.has.earlier:
		return []keeper.Op{keeper.Delete(c.path, c.has.version), create}
	case c.there:
		return []keeper.Op{keeper.Set(c.path, c.data, c.has.version)}
	}
	return []keeper.Op{create}
}

// opBytes is what the protocol adds to an operation's path and data, at the most.
const opBytes = 48

func bytesOf(ops ...keeper.Op) (n int) {
	for _, o := range ops {
		n += len(o.Path) + len(o.Data) + opBytes
	}
	return n
}

// batch is what is written in one request.
type batch struct {
	ops    []keeper.Op
	edits  []edit
	bytes  [lanes]int
	cursor string // the status that the next batch goes on after
}

const (
	statusBytes = 20_000              // of statuses in a batch: those of 50 services
	statusOps   = keeper.MaxOps - 3   // and a check, the record and the report
	aloneBytes  = keeper.MaxBytes / 2 // what is larger goes alone
)

// pack makes the next batch of the edits whose lanes are open: what is gone first, since
// nobody must be sent there, then statuses from the cursor on, so that each has its turn
// however many change, then the node's record, and its report. check is the check that
// guarded items need.
func pack(todo []edit, open func(lane) bool, cursor string, check keeper.Op) batch {
	b := batch{cursor: cursor}
	closed := [lanes]bool{}
	for _, c := range inTurn(todo, cursor) {
		ops := c.ops()
		n := bytesOf(ops...)
		full := c.lane == statuses && len(b.ops) > 0 && (len(b.ops)+len(ops) > statusOps || b.bytes[statuses]+n > statusBytes)
		if closed[c.lane] = closed[c.lane] || full || !open(c.lane); closed[c.lane] {
			continue
		}
		if n > aloneBytes {
			b = batch{cursor: cursor} // the others are next, in a moment
		}
		b.ops, b.edits = append(b.ops, ops...), append(b.edits, c)
		b.bytes[c.lane] += n
		if c.lane == statuses && !c.gone {
			b.cursor = c.path
		}
	}
	for _, c := range b.edits {
		if c.guarded {
			b.ops, b.bytes[c.lane] = slices.Insert(b.ops, 0, check), b.bytes[c.lane]+bytesOf(check)
			break
		}
	}
	return b
}

// inTurn sorts edits by who is the next.
func inTurn(todo []edit, cursor string) []edit {
	number := func(b bool) int {
		if b {
			return 1
		}
		return 0
	}
	return slices.SortedFunc(slices.Values(todo), func(a, b edit) int {
		return cmp.Or(
			number(b.gone)-number(a.gone),
			cmp.Compare(a.lane, b.lane),
			number(a.path <= cursor)-number(b.path <= cursor),
			cmp.Compare(a.path, b.path))
	})
}

// applied notes what a batch has done.
func (b *batch) applied(have map[string]written, versions []int32) {
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
