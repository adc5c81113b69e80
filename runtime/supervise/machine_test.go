package supervise

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNamesAndPublicStatesAreComplete(t *testing.T) {
	for s := State(1); s < nStates; s++ {
		if s.String() == "" || s.Public() == "" {
			t.Errorf("state %d has no name or no public state", s)
		}
	}
	for i := Input(1); i < nInputs; i++ {
		if i.String() == "" {
			t.Errorf("input %d has no name", i)
		}
	}
	for a := Act(1); a < nActs; a++ {
		if a.String() == "" {
			t.Errorf("act %d has no name", a)
		}
	}
}

// What somebody wants, and what the agent provides, can come at any time.
func TestWishesAndArtifactsAreAnsweredInEveryState(t *testing.T) {
	for s := Pending; s < nStates; s++ {
		for _, in := range wishes {
			if _, _, ok := Step(s, in); !ok {
				t.Errorf("%s in %s has no cell", in, s)
			}
		}
	}
}

func TestNothingToDoMeansToStay(t *testing.T) {
	for s := Pending; s < nStates; s++ {
		for in := Input(1); in < nInputs; in++ {
			to, act, ok := Step(s, in)
			if ok && (to == 0 || to >= nStates) {
				t.Errorf("%s in %s leads nowhere", in, s)
			}
			if ok && act == None && to != s {
				t.Errorf("%s in %s goes to %s without doing anything", in, s, to)
			}
		}
	}
}

// answers are the inputs by which the acts of a state come back to the unit.
var answers = map[State][]Input{
	Waiting:    {Free},
	Installing: {Installed, InstallLater, InstallNever},
	Preparing:  {Prepared, PrepareLater, PrepareNever},
	Starting:   {Started, Unready, Unwanted, Overtaken, StartLater, StartNever},
	Aborting:   {Started, Again, Finish},
	Readying:   {Ready, Unlive, Exited},
	Running:    {Unlive, Exited},
	Draining:   {Exited, Drained},
	Stopping:   {Again, Finish},
	Ending:     {Again, Finish, Restart, Fail},
	Clearing:   {Again, Finish, Restart, Fail},
	Backoff:    {BackoffOver},
	Failed:     {Doubt},
}

// wishes can come at any time, as can what the agent provides.
var wishes = []Input{WantUp, WantDown, WantDrain, Installed, InstallLater, InstallNever}

func TestEveryAnswerHasACell(t *testing.T) {
	for s, inputs := range answers {
		for _, in := range inputs {
			if _, _, ok := Step(s, in); !ok {
				t.Errorf("%s answers with %s, which has no cell", s, in)
			}
		}
	}
}

// The table has no cell that nothing leads to: no state that is never reached, no input that a
// unit never gives there.
func TestEveryCellIsOfUse(t *testing.T) {
	reached, todo := map[State]bool{Pending: true}, []State{Pending}
	for len(todo) > 0 {
		s := todo[0]
		todo = todo[1:]
		for in := Input(1); in < nInputs; in++ {
			to, _, ok := Step(s, in)
			if ok && !slices.Contains(wishes, in) && !slices.Contains(answers[s], in) {
				t.Errorf("%s never comes in %s", in, s)
			}
			if ok && !reached[to] {
				reached[to] = true
				todo = append(todo, to)
			}
		}
	}
	for s := Pending; s < nStates; s++ {
		if !reached[s] {
			t.Errorf("nothing leads to %s", s)
		}
	}
}

// Whatever happens in whatever order: nothing is spawned while something may live, a stop is
// never answered by a start, and what lives is always ended before the unit is at rest.
func TestAnyOrderOfEvents(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := Pending
		for range rapid.IntRange(1, 60).Draw(t, "length") {
			inputs := append(slices.Clone(wishes), answers[s]...)
			in := rapid.SampledFrom(inputs).Draw(t, "input")
			to, act, ok := Step(s, in)
			if !ok {
				t.Fatalf("%s in %s has no cell", in, s)
			}
			if act == Spawn && s.lives() {
				t.Fatalf("%s in %s spawns while something may live", in, s)
			}
			if (in == WantDown || in == WantDrain) && (to == Starting || to == Preparing && s != Preparing || to == Installing && s != Installing) {
				t.Fatalf("%s in %s goes on to %s", in, s, to)
			}
			if s.lives() && !to.lives() && in != Finish && in != Again && in != Restart && in != Fail &&
				in != StartLater && in != StartNever && in != Overtaken {
				t.Fatalf("%s in %s comes to rest in %s while something may live", in, s, to)
			}
			s = to
		}
	})
}

// From every state a stop leads to rest, in as many steps as the unit has to wait for.
func TestAStopAlwaysComesToRest(t *testing.T) {
	for from := Pending; from < nStates; from++ {
		s, _, _ := Step(from, WantDown)
		for range 4 {
			switch s {
			case Aborting, Stopping, Ending, Clearing:
				s, _, _ = Step(s, Finish)
			}
		}
		if s != Stopped {
			t.Errorf("a stop in %s ends in %s", from, s)
		}
	}
}

// docs/states.md is drawn from the table; UPDATE=1 draws it anew.
func TestStatesAreDrawn(t *testing.T) {
	var b strings.Builder
	b.WriteString("# The states of a service\n\nDrawn from the table in `runtime/supervise/machine.go` by its test; `UPDATE=1 go test ./runtime/supervise` draws it anew.\n" +
		"Each arrow is an input and what is done on it. Inputs that change nothing are left out. Outside, *aborting*, *ending* and *clearing* are told as `stopping`, *readying* as `starting`, *waiting* as `pending`.\n\n```mermaid\nstateDiagram-v2\n    [*] --> pending\n")
	for s := Pending; s < nStates; s++ {
		for in := Input(1); in < nInputs; in++ {
			if to, act, ok := Step(s, in); ok && act != None {
				fmt.Fprintf(&b, "    %s --> %s: %s / %s\n", s, to, in, act)
			}
		}
	}
	b.WriteString("```\n")
	path := filepath.Join("..", "..", "docs", "states.md")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(path)
	if err != nil || string(got) != b.String() {
		t.Errorf("docs/states.md is not what the table says (%v); draw it anew with UPDATE=1", err)
	}
}
