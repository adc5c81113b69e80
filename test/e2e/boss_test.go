package e2e

import (
	"errors"
	"fmt"
	"path"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// boss is a coordinator of one node, n1.
type boss struct {
	cell
	n *node
	s keeper.Session
}

// lead starts a node.
func (c cell) lead(args ...string) boss {
	c.t.Helper()
	return boss{c, start(c.t, append(c.args("n1"), args...)...), c.look()}
}

// write puts something at a path, whatever was there.
func (b boss) write(at string, data []byte) {
	b.t.Helper()
	if err := keeper.MakeParents(b.t.Context(), b.s, path.Dir(at)); err != nil {
		b.t.Fatal(err)
	}
	_, err := b.s.Apply(b.t.Context(), keeper.Set(at, data, keeper.AnyVersion))
	if errors.Is(err, keeper.ErrNoNode) {
		_, err = b.s.Apply(b.t.Context(), keeper.Create(at, data))
	}
	if err != nil {
		b.t.Fatal(err)
	}
}

// assign writes the assignment.
func (b boss) assign(doc zkschema.Assignment) {
	b.t.Helper()
	data, err := doc.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(b.Assignment("n1"), data)
}

// units writes an assignment of the cell in its first epoch.
func (b boss) units(units ...zkschema.AssignedUnit) {
	b.t.Helper()
	b.assign(zkschema.Assignment{Cell: "one", Epoch: 1, Units: units})
}

// unit makes a unit, whose spec it writes.
func (b boss) unit(name string, generation int64, text string) zkschema.AssignedUnit {
	b.t.Helper()
	spec, err := service.Decode([]byte(text), service.JSON, "")
	if err != nil {
		b.t.Fatal(err)
	}
	digest, data, err := zkschema.EncodeSpec(spec)
	if err != nil {
		b.t.Fatal(err)
	}
	b.write(b.Spec(digest), data)
	return zkschema.AssignedUnit{Kind: zkschema.KindService, Name: b.own(name), Owner: zkschema.JobOwner(b.own("web")), Spec: digest, Want: service.Running, Generation: generation}
}

// told waits until the report says something.
func (b boss) told(what string, says func(zkschema.Report, map[string]zkschema.Unit) bool) map[string]zkschema.Unit {
	b.t.Helper()
	units := map[string]zkschema.Unit{}
	b.n.until("the report tells "+what, func() error {
		data, _, there := b.at(b.s, b.Report("n1"))
		if !there {
			return errors.New("there is none")
		}
		r, err := zkschema.DecodeReport(data)
		if err != nil {
			return err
		}
		clear(units)
		for _, u := range r.Units {
			units[u.Name] = u
		}
		if !says(r, units) {
			return fmt.Errorf("%s", data)
		}
		return nil
	})
	return units
}

// runs waits until a unit runs by a generation.
func (b boss) runs(name string, generation int64) zkschema.Unit {
	b.t.Helper()
	return b.told(fmt.Sprintf("that %s runs, generation %d", name, generation), func(_ zkschema.Report, units map[string]zkschema.Unit) bool {
		return units[name].State == service.StateRunning && units[name].Generation == generation
	})[name]
}
