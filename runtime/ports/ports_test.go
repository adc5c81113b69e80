package ports

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
	"pgregory.net/rapid"
)

func nobody(int) string   { return "" }
func nothing(int) bool    { return false }
func everything(int) bool { return true }

// now is a host on which there is a listener where busy says so.
func now(busy func(int) bool) func() (func(int) bool, error) {
	return func() (func(int) bool, error) { return busy, nil }
}

func TestAssign(t *testing.T) {
	other := func(port int) string {
		return map[int]string{31000: "2.web.borud.fbu", 8080: "3.web.borud.fbu", 9090: "4.web.borud.fbu"}[port]
	}
	for _, c := range []struct {
		what        string
		asked, kept map[string]int
		owner       func(int) string
		listening   func(int) bool
		want        map[string]int
		outgoing    func(int) bool
	}{
		{"none asked", nil, map[string]int{"http": 31000}, nobody, nothing, map[string]int{}, nothing},
		{"from 31000 on, by name", map[string]int{"b": 0, "a": 0}, nil, nobody, nothing, map[string]int{"a": 31000, "b": 31001}, nothing},
		{"other services' are left out", map[string]int{"a": 0}, nil, other, nothing, map[string]int{"a": 31001}, nothing},
		{"what listens is left out", map[string]int{"a": 0}, nil, nobody, func(p int) bool { return p < 31005 && p >= 31000 }, map[string]int{"a": 31005}, nothing},
		{"the end wraps to the low end", map[string]int{"a": 0}, nil, nobody, func(p int) bool { return p >= First }, map[string]int{"a": Lowest}, nothing},
		{"fixed ones stay, listened on or not", map[string]int{"a": 80}, nil, nobody, everything, map[string]int{"a": 80}, nothing},
		{"kept ones stay, listened on or not", map[string]int{"a": 0, "b": 0}, map[string]int{"b": 31007}, nobody, func(p int) bool { return p == 31007 },
			map[string]int{"a": 31000, "b": 31007}, nothing},
		{"a fixed port in place of a kept one", map[string]int{"a": 7000}, map[string]int{"a": 31000}, nobody, nothing, map[string]int{"a": 7000}, nothing},
		{"a fixed port that was kept under another name", map[string]int{"a": 0, "b": 31000}, map[string]int{"a": 31000}, nobody, nothing,
			map[string]int{"a": 31001, "b": 31000}, nothing},
		{"a kept one that another service has got", map[string]int{"a": 0}, map[string]int{"a": 31000}, other, nothing, map[string]int{"a": 31001}, nothing},
		{"a kept one twice", map[string]int{"a": 0, "b": 0}, map[string]int{"a": 31000, "b": 31000}, nobody, nothing, map[string]int{"a": 31000, "b": 31001}, nothing},
		{"what an outgoing connection may have is left out", map[string]int{"a": 0}, nil, nobody, nothing, map[string]int{"a": 20000}, func(p int) bool { return p > 20100 }},
		{"where it may have any, one is taken all the same", map[string]int{"a": 0}, nil, nobody, nothing, map[string]int{"a": 31000}, everything},
		{"but none where somebody listens", map[string]int{"a": 0}, nil, nobody, func(p int) bool { return p == 31000 }, map[string]int{"a": 31001}, everything},
		{"a kept one out of the range", map[string]int{"a": 0}, map[string]int{"a": 40000}, nobody, nothing, map[string]int{"a": 31000}, nothing},
	} {
		t.Run(c.what, func(t *testing.T) {
			got, err := Assign(c.asked, c.kept, View{c.owner, now(c.listening), c.outgoing})
			if err != nil || !maps.Equal(got, c.want) {
				t.Errorf("got %v, %v; want %v", got, err, c.want)
			}
		})
	}

	_, err := Assign(map[string]int{"admin": 9090, "http": 8080, "x": 0}, nil, View{other, now(nothing), nothing})
	if fault.KindOf(err) != fault.Conflict {
		t.Fatalf("taken fixed ports: %v", err)
	}
	for _, part := range []string{"port 8080 (http) belongs to 3.web.borud.fbu", "port 9090 (admin) belongs to 4.web.borud.fbu"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%q does not say %q", err, part)
		}
	}
	_, err = Assign(map[string]int{"http": 0}, nil, View{nobody, now(everything), nothing})
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "http: all from 20000 to 32767") {
		t.Errorf("nothing free: %v", err)
	}
}

func TestTheHostIsLookedAtOnlyWhereAPortIsSearchedFor(t *testing.T) {
	broken := errors.New("no tables")
	asks := 0
	v := View{nobody, func() (func(int) bool, error) { asks++; return nil, broken }, nothing}
	for _, asked := range []map[string]int{nil, {"http": 80}, {"kept": 0}, {"http": 80, "kept": 0}} {
		if got, err := Assign(asked, map[string]int{"kept": 31005}, v); err != nil || len(got) != len(asked) || asks != 0 {
			t.Errorf("%v: %v, %v; looked %d times", asked, got, err, asks)
		}
	}
	if got, err := Assign(map[string]int{"kept": 0, "new": 0}, map[string]int{"kept": 31005}, v); !errors.Is(err, broken) {
		t.Errorf("assigned %v, %v on a host that does not tell", got, err)
	}
	v.Busy = func() (func(int) bool, error) { asks++; return nothing, nil }
	asks = 0
	if _, err := Assign(map[string]int{"a": 0, "b": 0, "c": 0}, nil, v); err != nil || asks != 1 {
		t.Errorf("three ports: %v; looked %d times", err, asks)
	}
}

func TestAssignKeepsItsPromises(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// A few ports around the places where the search begins, ends and wraps.
		port := rapid.SampledFrom([]int{80, 8080, Lowest, Lowest + 1, First - 1, First, First + 1, First + 2, Highest, 40000})
		name := rapid.SampledFrom([]string{"a", "b", "c", "d"})
		asked := rapid.MapOfN(name, rapid.OneOf(rapid.Just(0), port), 0, 4).Draw(t, "asked")
		fixed := map[int]bool{}
		for name, p := range asked {
			if fixed[p] {
				asked[name] = 0 // the spec's validation refuses two of the same
			}
			fixed[p] = p != 0
		}
		kept := rapid.MapOfN(name, port, 0, 4).Draw(t, "kept")
		others := rapid.MapOfN(port, rapid.Just("another"), 0, 4).Draw(t, "others")
		busy := rapid.MapOfN(port, rapid.Just(true), 0, 4).Draw(t, "busy")
		owner := func(p int) string { return others[p] }
		listening := func(p int) bool { return busy[p] || p > First+8 && p < Highest }

		got, err := Assign(asked, kept, View{owner, now(listening), listening})
		conflict := false
		for _, p := range asked {
			conflict = conflict || p != 0 && others[p] != ""
		}
		if conflict != (err != nil) {
			t.Fatalf("error %v, a conflict is there: %v", err, conflict)
		}
		if err != nil {
			return
		}
		if len(got) != len(asked) {
			t.Fatalf("assigned %v for %v", got, asked)
		}
		seen := map[int]bool{}
		for name, p := range got {
			switch {
			case seen[p]:
				t.Fatalf("%d is given twice: %v", p, got)
			case others[p] != "":
				t.Fatalf("%s got %d, which another has", name, p)
			case asked[name] != 0 && p != asked[name]:
				t.Fatalf("%s got %d, not the %d it asked for", name, p, asked[name])
			case asked[name] == 0 && (p < Lowest || p > Highest):
				t.Fatalf("%s got %d, out of the range", name, p)
			case asked[name] == 0 && p != kept[name] && listening(p):
				t.Fatalf("%s got %d, where somebody listens", name, p)
			}
			seen[p] = true
		}
		again, err := Assign(asked, got, View{owner, now(everything), everything})
		if err != nil || !maps.Equal(again, got) {
			t.Fatalf("asked again: %v, %v; want %v as before", again, err, got)
		}
	})
}
