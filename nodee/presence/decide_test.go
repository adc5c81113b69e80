package presence

import (
	"testing"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

func TestDecide(t *testing.T) {
	const session = 7
	me := Identity{Name: "n1", ID: "a", MachineID: "m"}
	incarnation := func(id, machine string, version int32) view {
		b, err := zkschema.Incarnation{ID: id, MachineID: machine}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return view{true, b, keeper.Stat{Version: version}}
	}
	node := func(id string, number int32, owner int64) view {
		b, err := zkschema.Node{ID: id, Incarnation: number}.Encode()
		if err != nil {
			t.Fatal(err)
		}
		return view{true, b, keeper.Stat{Version: 5, Owner: owner}}
	}
	for name, c := range map[string]struct {
		memory            int32
		incarnation, node view
		want              string // "done", "taken", or the operations
	}{
		"nobody was ever there":                       {-1, view{}, view{}, "create create-ephemeral"},
		"an empty ZooKeeper after we were registered": {4, view{}, view{}, "create create-ephemeral"},
		"our session before this one":                 {4, incarnation("a", "m", 4), node("a", 4, 6), "set delete create-ephemeral"},
		"a copy of our prefix took over":              {4, incarnation("a", "m", 5), node("a", 5, 8), "taken"},
		"ours, lapsed":                                {4, incarnation("a", "m", 4), view{}, "set create-ephemeral"},
		"our request whose answer was lost":           {4, incarnation("a", "m", 5), node("a", 5, session), "done"},
		"our own session, an older registration":      {4, incarnation("a", "m", 5), node("a", 4, session), "set delete create-ephemeral"},
		"our own, somebody removed the incarnation":   {4, view{}, node("a", 4, session), "create delete create-ephemeral"},
		"our earlier one, and no incarnation":         {4, view{}, node("a", 4, 6), "create delete create-ephemeral"},
		"another's, and no incarnation":               {4, view{}, node("b", 2, 8), "taken"},
		"our own, another has registered since":       {4, incarnation("b", "x", 5), node("a", 4, session), "taken"},
		"another node is there":                       {-1, incarnation("b", "x", 2), node("b", 2, 6), "taken"},
		"another has our id, on another machine":      {-1, incarnation("a", "x", 2), node("a", 2, 6), "taken"},
		"another had the name, we never did":          {-1, incarnation("b", "x", 2), view{}, "set create-ephemeral"},
		"another has taken our name":                  {1, incarnation("b", "x", 2), view{}, "taken"},
		"our prefix was moved to this machine":        {2, incarnation("a", "x", 2), view{}, "set create-ephemeral"},
		"a record that cannot be read":                {-1, incarnation("a", "m", 2), view{there: true, data: []byte("x")}, "taken"},
		"an incarnation of a newer schema":            {-1, view{there: true, data: []byte(`{"schema":9}`)}, view{}, "taken"},
	} {
		v, err := decide(me, session, Memory{Incarnation: c.memory, Sessions: []int64{6, session}}, cell, c.incarnation, c.node, func(int32) ([]byte, error) { return []byte("{}"), nil })
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		switch {
		case v.done:
			got = "done"
		case v.holder != "":
			got = "taken"
		}
		for i, o := range v.ops {
			if i > 0 {
				got += " "
			}
			got += map[keeper.Kind]string{keeper.KindCreate: "create", keeper.KindSet: "set", keeper.KindDelete: "delete", keeper.KindCreateEphemeral: "create-ephemeral"}[o.Kind]
		}
		if got != c.want {
			t.Errorf("%s: %s %s, want %s", name, got, v.holder, c.want)
		}
	}
}
