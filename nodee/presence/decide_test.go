package presence

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

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

// Batch after batch leads to what is wanted, whatever was there; none is larger than a
// second's worth or than one item, and guarded items never go without their check.
func TestBatchesLeadToWhatIsWanted(t *testing.T) {
	check := checkOf(cell, "n1", 3)
	rapid.Check(t, func(t *rapid.T) {
		have, want := map[string]written{}, []item{}
		for i := range rapid.IntRange(0, 300).Draw(t, "paths") {
			path := fmt.Sprintf("/p/%d", i)
			data := bytes.Repeat([]byte{'x'}, rapid.IntRange(0, 3000).Draw(t, "size"))
			if rapid.Bool().Draw(t, "have") {
				have[path] = written{data: data[:len(data)/2], version: 1, earlier: rapid.Bool().Draw(t, "earlier")}
			}
			if rapid.Bool().Draw(t, "want") {
				want = append(want, item{path: path, data: data, ephemeral: rapid.Bool().Draw(t, "ephemeral"), guarded: rapid.Bool().Draw(t, "guarded")})
			}
		}
		for range 700 {
			b := diff(want, have, check)
			if len(b.ops) == 0 {
				for _, i := range want {
					if h := have[i.path]; h.earlier || !bytes.Equal(h.data, i.data) {
						t.Fatalf("%s is not as wanted", i.path)
					}
				}
				if len(have) != len(want) {
					t.Fatalf("%d are there, %d are wanted", len(have), len(want))
				}
				return
			}
			if err := keeper.CheckOps(b.ops); err != nil {
				t.Fatal(err)
			}
			checked := false
			for n, o := range b.ops {
				checked = checked || o.Kind == keeper.KindCheck
				if b.items[n].guarded && !checked {
					t.Fatalf("%s is guarded and not checked", o.Path)
				}
			}
			if b.bytes > bytesPerSecond+len(check.Path) && len(b.ops) > 2 {
				t.Fatalf("a batch of %d bytes", b.bytes)
			}
			b.applied(have, make([]int32, len(b.ops)))
		}
		t.Fatal("it does not come to an end")
	})
}

func TestPauses(t *testing.T) {
	for n, want := range map[int]time.Duration{0: gap, 1000: gap, 50_000: time.Second, 200_000: 4 * time.Second} {
		if got := (batch{bytes: n}).pause(); got != want {
			t.Errorf("after %d bytes: %v, want %v", n, got, want)
		}
	}
}
