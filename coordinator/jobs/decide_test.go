package jobs

import (
	"slices"
	"testing"

	"github.com/cloudname/nodee/zkschema"
)

func TestVersionsThatAreDropped(t *testing.T) {
	upTo := func(n int) (all []int) {
		for i := range n {
			all = append(all, i+1)
		}
		return all
	}
	for name, tt := range map[string]struct {
		numbers []int
		n       int
		pinned  []int
		want    []int
	}{
		"the first version drops none":                                 {nil, 1, nil, nil},
		"as many as are kept beside the new one":                       {upTo(10), 11, nil, nil},
		"the oldest goes":                                              {upTo(11), 12, nil, []int{1}},
		"not when an update may go back to it":                         {upTo(11), 12, []int{1}, nil},
		"a pinned one does not save others":                            {upTo(13), 14, []int{1}, []int{2, 3}},
		"a pinned one that is young takes nobody's place":              {upTo(11), 12, []int{11}, []int{1}},
		"what was left over goes too, not all at once":                 {upTo(200), 201, nil, upTo(50)},
		"what comes from nowhere, with a higher number, is left alone": {append(upTo(3), 90), 4, nil, nil},
	} {
		pinned := map[int]bool{}
		for _, n := range tt.pinned {
			pinned[n] = true
		}
		if got := dropped(tt.numbers, tt.n, pinned); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}

func TestTheNextRecord(t *testing.T) {
	base := decoded(t, `{"name":"web.borud.fbu","count":3,"spec":{"command":"/bin/web"}}`)
	wider, other := base, base
	wider.Count, other.Spec.Command = 5, "/bin/other"
	first, _, err := next(standing{}, zkschema.Job{Job: base, Change: changePut})
	if err != nil || first.Job.Version != 1 || first.Revision != 1 || first.Born != 1 || first.Spec == "" {
		t.Fatalf("the first is %+v, %v", first, err)
	}
	first.Job.Version, first.Revision = 7, 4
	removed, stopped, stop := first, first, base
	removed.Removed = true
	stopped.Job.Stopped, stop.Stopped = true, true
	for name, tt := range map[string]struct {
		s                 standing
		r                 zkschema.Job
		version, revision int
	}{
		"another count is no revision":                      {standing{record: &first}, zkschema.Job{Job: wider, Change: changeScale}, 8, 4},
		"another spec is one":                               {standing{record: &first}, zkschema.Job{Job: other, Change: changePut}, 8, 8},
		"a stop is none":                                    {standing{record: &first}, zkschema.Job{Job: stop, Change: changeStop}, 8, 4},
		"one that stays stopped is none":                    {standing{record: &stopped}, zkschema.Job{Job: stop, Change: changePut}, 8, 4},
		"one that was stopped, and is put to run, is one":   {standing{record: &stopped}, zkschema.Job{Job: base, Change: changePut}, 8, 8},
		"a restart is one":                                  {standing{record: &first}, zkschema.Job{Job: base, Change: changeRestart}, 8, 8},
		"what the coordinator undoes may have been one":     {standing{record: &first}, zkschema.Job{Job: base, Change: changeRevert, Why: "it failed"}, 8, 8},
		"what somebody reverts is one if the spec differs":  {standing{record: &first}, zkschema.Job{Job: wider, Change: changeRevert}, 8, 4},
		"what was removed has nothing to do with a new one": {standing{record: &removed}, zkschema.Job{Job: base, Change: changePut}, 8, 8},
		"numbers go on where only versions are left":        {standing{numbers: []int{3, 9}}, zkschema.Job{Job: base, Change: changePut}, 10, 10},
	} {
		got, _, err := next(tt.s, tt.r)
		born := 1
		if !tt.s.exists() {
			born = tt.version
		}
		if err != nil || got.Job.Version != tt.version || got.Revision != tt.revision || got.Born != born {
			t.Errorf("%s: version %d, revision %d, born %d, %v; want %d, %d, %d", name, got.Job.Version, got.Revision, got.Born, err, tt.version, tt.revision, born)
		}
	}
}
