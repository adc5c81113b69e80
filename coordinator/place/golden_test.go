package place

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write testdata/golden.txt anew")

// TestGoldenPlans holds the plans of one eventful day against what they were: a change of rank or
// of words shows as a diff that somebody has read.
func TestGoldenPlans(t *testing.T) {
	s, day := begin(t), &strings.Builder{}
	then := func(what string) { fmt.Fprintf(day, "# %s\n%s\n", what, s.settle()) }
	put := func(i int, state State) {
		n := withLabel(aNode(fmt.Sprintf("n%d", i)), "rack", fmt.Sprintf("r%d", (i+2)/3))
		n.CPU, n.Memory, n.State, n.AwayFor = 4, 8<<30, state, 60e9
		s.PutNode(n)
	}
	for i := 1; i <= 6; i++ {
		put(i, Ready)
	}
	s.job("log", `"type":"system","resources":{"memory":"256MiB"}`)
	s.job("web", `"count":5,"spread":[{"attribute":"label.rack"}],"resources":{"cpu":1,"memory":"1GiB"}`)
	s.job("db", `"count":3,"constraints":[{"attribute":"label.rack","value":"r1"}],"resources":{"cpu":3,"memory":"6GiB"}`)
	then("six nodes in two racks, and three jobs")
	put(2, Away)
	then("n2 has been away for a minute")
	put(5, Drained)
	then("n5 is drained")
	put(2, Ready)
	then("n2 is back")
	s.job("web", `"count":8,"spread":[{"attribute":"label.rack"}],"resources":{"cpu":1,"memory":"1GiB"}`)
	then("web is scaled to 8")
	put(7, Ready)
	then("n7 joins")
	s.job("web", `"count":2,"spread":[{"attribute":"label.rack"}],"resources":{"cpu":1,"memory":"1GiB"}`)
	then("web is scaled to 2")
	if *update {
		if err := os.WriteFile("testdata/golden.txt", []byte(day.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile("testdata/golden.txt")
	if err != nil {
		t.Fatal(err)
	}
	if day.String() != string(want) {
		t.Errorf("the day is now\n%s\nit was\n%s\nIf that is meant: go test ./coordinator/place -update", day, want)
	}
}
