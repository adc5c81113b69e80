package cgroup

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

func TestSettle(t *testing.T) {
	all, wanted := []string{"cpuset", CPU, Memory, PIDs}, []string{Memory, CPU, PIDs}
	unit := Own{Dir: "/cg/nodee.service", Has: all, Processes: []int{10, 11}}
	with := func(change func(*Own)) Own {
		own := unit
		change(&own)
		return own
	}
	for name, c := range map[string]struct {
		own    Own
		parent *Own
		want   Settling
		says   string
	}{
		"alone, with its anchor: into the leaf": {unit, nil, Settling{Base: unit.Dir, Move: []int{10, 11}, Enable: wanted}, ""},
		"the leaf already":                      {Own{Dir: unit.Dir + "/" + Leaf}, new(with(func(o *Own) { o.Processes, o.Offers = nil, wanted })), Settling{Base: unit.Dir}, ""},
		"the leaf, cut short":                   {Own{Dir: unit.Dir + "/" + Leaf}, new(with(func(o *Own) { o.Processes = []int{10} })), Settling{Base: unit.Dir, Move: []int{10}, Enable: wanted}, ""},
		"the machine's root":                    {with(func(o *Own) { o.Root, o.Processes = true, []int{1, 2, 10} }), nil, Settling{Base: unit.Dir, Enable: wanted}, ""},
		"shared":                                {with(func(o *Own) { o.Processes = []int{10, 99} }), nil, Settling{Base: unit.Dir}, "process 99"},
		"not handed over":                       {with(func(o *Own) { o.Foreign = true }), nil, Settling{Base: unit.Dir}, "Delegate=yes"},
		"no controllers":                        {with(func(o *Own) { o.Has = nil }), nil, Settling{Base: unit.Dir}, "no controller memory, cpu, pids"},
		"one of them":                           {with(func(o *Own) { o.Has = []string{PIDs} }), nil, Settling{Base: unit.Dir, Move: []int{10, 11}, Enable: []string{PIDs}}, "no controller memory, cpu"},
		"shared, and all is there":              {with(func(o *Own) { o.Processes, o.Offers = []int{99}, wanted }), nil, Settling{Base: unit.Dir}, ""},
	} {
		got := Settle(c.own, c.parent, []int{10, 11})
		if !strings.Contains(got.Why, c.says) || (got.Why == "") != (c.says == "") {
			t.Errorf("%s: why %q; want %q", name, got.Why, c.says)
		}
		got.Why = ""
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %+v; want %+v", name, got, c.want)
		}
	}
}

// No machine of ours has controllers in version 2: the folders are looked at and written to as
// the kernel's would be.
func TestSettlingOnAFakeTree(t *testing.T) {
	g := fake(t, map[string]string{"cgroup.type": "domain\n", "cgroup.controllers": "cpu memory pids io\n",
		"cgroup.subtree_control": "\n", "cgroup.procs": "10\n11\n"})
	leaf := filepath.Join(g.Dir(), Leaf)
	if err := os.Mkdir(leaf, 0o755); err != nil {
		t.Fatal(err)
	}
	moved := filepath.Join(leaf, "cgroup.procs")
	if err := os.WriteFile(moved, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	own, err := g.Look(false)
	if err != nil || own.Root || own.Foreign || len(own.Processes) != 2 {
		t.Fatalf("looked like %+v, %v", own, err)
	}
	if managed, err := g.Look(true); err != nil || !managed.Foreign {
		t.Errorf("with a service manager: %+v, %v; want it to be the manager's", managed, err)
	}
	plan := Settle(own, nil, []int{10, 11})
	for range 2 {
		if err := plan.Do(); err != nil {
			t.Fatal(err)
		}
	}
	if b, err := os.ReadFile(moved); err != nil || string(b) != "11" {
		t.Errorf("the last one moved is %q, %v; want 11", b, err)
	}
	if b, err := os.ReadFile(filepath.Join(g.Dir(), "cgroup.subtree_control")); err != nil || !strings.HasPrefix(string(b), "+pids") {
		t.Errorf("handed down last: %q, %v; want +pids", b, err)
	}
	gone := At(filepath.Join(t.TempDir(), "gone"))
	if err := gone.Enable([]string{PIDs}); err == nil {
		t.Error("a group that is not there hands a controller down")
	}
}
