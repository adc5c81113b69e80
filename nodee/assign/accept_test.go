package assign

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/cloudname/nodee/test/leaktest"
	"github.com/cloudname/nodee/zkschema"
)

func TestJudge(t *testing.T) {
	followed := Memory{Known: true, Cell: "a", Epoch: 5, Created: 100, Version: 7}
	doc := func(cell string, epoch int32) zkschema.Assignment {
		return zkschema.Assignment{Cell: cell, Epoch: epoch}
	}
	for name, c := range map[string]struct {
		memory  Memory
		doc     zkschema.Assignment
		created int64
		version int32
		want    string // a part of why it is refused; "": it is followed
	}{
		"the first one is taken as it is":             {Memory{}, doc("b", 0), 1, 0, ""},
		"the same again":                              {followed, doc("a", 5), 100, 7, ""},
		"a later version":                             {followed, doc("a", 5), 100, 8, ""},
		"a later leader":                              {followed, doc("a", 6), 100, 8, ""},
		"one that was made anew":                      {followed, doc("a", 5), 101, 0, ""},
		"another cell":                                {followed, doc("b", 9), 200, 9, `the id "b", this node has followed "a"`},
		"one that names no cell":                      {followed, doc("", 9), 200, 9, `the id ""`},
		"a leader that was deposed, or a backup":      {followed, doc("a", 4), 100, 8, "epoch 4, this node has followed epoch 5"},
		"a backup of the same epoch":                  {followed, doc("a", 5), 100, 6, "version 6, older than version 7"},
		"what stood there before":                     {followed, doc("a", 5), 99, 9, "older than version 7"},
		"a restored backup with a new leader":         {followed, doc("a", 6), 100, 3, ""},
		"one whose first documents did not name it":   {Memory{Known: true, Epoch: 1}, doc("a", 1), 1, 1, ""},
		"any, when what was remembered is unreadable": {Memory{Unreadable: true}, doc("a", 9), 200, 9, "cannot be read"},
		"a forgotten cell":                            {Memory{Cell: "a", Epoch: 5, Created: 100, Version: 7}, doc("b", 1), 1, 0, ""},
	} {
		got := judge(c.memory, c.doc, c.created, c.version)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s: refused %q, want %q", name, got, c.want)
		}
		if got != "" && !strings.HasSuffix(got, "nodee resume --accept-cell takes it") {
			t.Errorf("%s: %q does not say what to do", name, got)
		}
	}
}

// Only what a server that lags behind could show is waited for; another cell is refused at once.
func TestOlder(t *testing.T) {
	followed := Memory{Known: true, Cell: "a", Epoch: 5, Created: 100, Version: 7}
	for name, c := range map[string]struct {
		memory  Memory
		cell    string
		epoch   int32
		created int64
		version int32
		want    bool
	}{
		"the same":                          {followed, "a", 5, 100, 7, false},
		"a lower version":                   {followed, "a", 5, 100, 6, true},
		"a higher one that stood before it": {followed, "a", 5, 99, 9, true},
		"one that was made anew":            {followed, "a", 5, 101, 0, false},
		"of another cell":                   {followed, "b", 5, 100, 6, false},
		"of a lower epoch":                  {followed, "a", 4, 100, 6, false},
		"of a higher epoch":                 {followed, "a", 6, 100, 6, false},
		"when nothing was followed":         {Memory{Created: 100, Version: 7}, "a", 0, 99, 0, false},
	} {
		if got := older(c.memory, zkschema.Assignment{Cell: c.cell, Epoch: c.epoch}, c.created, c.version); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestMemoryIsReadBack(t *testing.T) {
	file := filepath.Join(t.TempDir(), "assignment.json")
	if m, err := readMemory(file); err != nil || !reflect.DeepEqual(m, Memory{}) {
		t.Errorf("without a file: %+v, %v", m, err)
	}
	want := followed(zkschema.Assignment{Schema: 1, Cell: "a", Epoch: 5, Prefetch: []string{}, Units: []zkschema.AssignedUnit{unit("1.web.borud.fbu", 3)}}, 100, 7)
	if err := want.save(file); err != nil {
		t.Fatal(err)
	}
	if got, err := readMemory(file); err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v; want %+v", got, err, want)
	}
	if err := os.WriteFile(file, []byte(`{"known":tr`), 0o600); err != nil {
		t.Fatal(err)
	}
	if m, err := readMemory(file); err == nil || !m.Unreadable {
		t.Errorf("a damaged one: %+v, %v", m, err)
	}
}

func TestMain(m *testing.M) { leaktest.Main(m) }
