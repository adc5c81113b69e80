package job

import (
	"reflect"
	"testing"

	"github.com/cloudname/nodee/internal/document"
)

func TestDiff(t *testing.T) {
	old := decode(t, document.JSON, `{"name":"web.borud.fbu","count":3,"version":4,"spec":{"artifact":"com.example:web:1.2.0","env":{"A":"1","B":"2"},"args":["x"]}}`)
	new := decode(t, document.JSON, `{"name":"web.borud.fbu","count":5,"version":5,"update":{"max_parallel":2},"constraints":[{"attribute":"label.a","value":"b"}],
		"spec":{"artifact":"com.example:web:1.3.0","env":{"B":"3","C":"4"},"args":["x","y"]}}`)
	want := []Difference{
		{"constraints", `[]`, `[{"attribute":"label.a","operator":"=","value":"b"}]`},
		{"count", `3`, `5`},
		{"spec.args", `["x"]`, `["x","y"]`},
		{"spec.artifact", `"com.example:web:1.2.0"`, `"com.example:web:1.3.0"`},
		{"spec.env.A", `"1"`, ""},
		{"spec.env.B", `"2"`, `"3"`},
		{"spec.env.C", "", `"4"`},
		{"update.max_parallel", `1`, `2`},
	}
	if got := Diff(old, new); !reflect.DeepEqual(got, want) {
		t.Errorf("the difference is %+v\nwant %+v", got, want)
	}
	if got := Diff(old, old); len(got) != 0 {
		t.Errorf("a job differs from itself in %+v", got)
	}
}
