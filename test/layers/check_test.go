package layers

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"
)

// small is a house of three storeys, with a daemon on each side.
var small = House{
	Module: "m",
	Layers: []Layer{
		{Name: "ground", Rooms: []string{"word"}, Shuns: []string{"os"}},
		{Name: "middle", Rooms: []string{"tree", "fetch", "internal/group"}, On: []string{"ground"}},
		{Name: "top", Rooms: []string{"nodee", "coordinator", "nodee/rest"}, On: []string{"ground", "middle"}, Inside: true},
		{Name: "tests", Rooms: []string{"test/..."}, On: []string{"top"}},
	},
	Nevers:   []Never{{"nodee", "coordinator", "they meet elsewhere"}},
	Starters: map[string]string{"internal/group": "it owns them"},
}

// inHouse checks files whose text is what follows their package clause and doc comment.
func inHouse(t *testing.T, house House, files map[string]string) []string {
	t.Helper()
	root := fstest.MapFS{}
	for name, text := range files {
		root[name] = &fstest.MapFile{Data: []byte(text)}
	}
	problems, err := Check(root, house)
	if err != nil {
		t.Fatal(err)
	}
	return problems
}

const doc = "// Package p is documented.\npackage p\n"

func TestBadExamples(t *testing.T) {
	const down = "declare what you need as an interface, or move it down"
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"all is well": {map[string]string{
			"word/w.go":            doc,
			"tree/t.go":            doc + `import "m/word"`,
			"nodee/n.go":           doc + "import (\n\"m/tree\"\n\"m/nodee/rest\"\n\"os\"\n)",
			"test/script/s.go":     doc + `import "m/nodee"`,
			"tree/testdata/x/x.go": "not Go at all",
		}, nil},
		"no layer":       {map[string]string{"cache/c.go": doc}, []string{"cache: this package has no layer: give it one in test/layers/layers.go, the lowest that has all it needs"}},
		"no layer there": {map[string]string{"tree/t.go": doc + `import "m/tree/lost"`}, []string{"tree/t.go:3: imports tree/lost, which has no layer"}},
		"upward":         {map[string]string{"word/w.go": doc + `import "m/tree"`}, []string{`word/w.go:3: imports tree, but the layer "ground" may not import "middle": ` + down}},
		"sideways":       {map[string]string{"tree/t.go": doc + `import f "m/fetch"`}, []string{`tree/t.go:3: imports fetch, its neighbour in the layer "middle": declare what you need as an interface, or move what both need down`}},
		"past a storey":  {map[string]string{"test/x/x.go": doc + `import _ "m/word"`}, []string{`test/x/x.go:3: imports word, but the layer "tests" may not import "ground": ` + down}},
		"a daemon in another": {map[string]string{"nodee/rest/r.go": doc + `import "m/coordinator"`},
			[]string{"nodee/rest/r.go:3: nodee never imports coordinator: they meet elsewhere"}},
		"disk in the vocabulary": {map[string]string{"word/w.go": doc + `import "os"`}, []string{`word/w.go:3: imports os, which the layer "ground" does without: do this in a package above it`}},
		"tests import freely":    {map[string]string{"word/w.go": doc, "word/w_test.go": "package p\nimport \"m/nodee\""}, nil},

		"goroutine":          {map[string]string{"tree/t.go": doc + "func f() {\n\tgo f()\n}"}, []string{"tree/t.go:4: starts a goroutine: use internal/group, which knows who waits for it"}},
		"goroutine by group": {map[string]string{"internal/group/g.go": doc + "func f() { go f() }"}, nil},
		"goroutine in tests": {map[string]string{"tree/t_test.go": "package p\nfunc f() { go f() }", "test/x/x.go": doc + "func f() { go f() }"}, nil},
		"wait group":         {map[string]string{"tree/t.go": doc + "import s \"sync\"\nvar w s.WaitGroup"}, []string{"tree/t.go:4: uses sync.WaitGroup: use internal/group, which knows who waits for it"}},
		"error group":        {map[string]string{"tree/t.go": doc + "import \"golang.org/x/sync/errgroup\"\nvar w errgroup.Group"}, []string{"tree/t.go:4: uses errgroup.Group: use internal/group, which knows who waits for it"}},
		"sleep":              {map[string]string{"tree/t.go": doc + "import \"time\"\nfunc f() { time.Sleep(1) }"}, []string{"tree/t.go:4: uses time.Sleep: select on a timer and on ctx.Done(), so that it can be told to stop"}},
		"sleep renamed":      {map[string]string{"tree/t.go": doc + "import clock \"time\"\nvar f = clock.Sleep"}, []string{"tree/t.go:4: uses time.Sleep: select on a timer and on ctx.Done(), so that it can be told to stop"}},
		"sleep of its own":   {map[string]string{"tree/t.go": doc + "var time struct{ Sleep func() }\nfunc f() { time.Sleep() }"}, nil},
		"sleep in tests":     {map[string]string{"tree/t_test.go": "package p\nimport \"time\"\nvar f = time.Sleep"}, nil},

		"no doc": {map[string]string{"tree/t.go": "package p"}, []string{"tree: package p has no doc comment: say what it is for, who owns its goroutines and what it refuses to do"}},
		"detached doc": {map[string]string{"tree/t.go": "// Package p is for nothing.\n\npackage p"},
			[]string{"tree: package p has no doc comment: say what it is for, who owns its goroutines and what it refuses to do"}},
		"two docs":   {map[string]string{"tree/a.go": doc, "tree/b.go": doc}, []string{"tree: package p has more than one doc comment, in a.go and b.go: keep one"}},
		"test alone": {map[string]string{"test/x/x_test.go": "package p"}, nil},
		"vague name": {map[string]string{"test/util/x.go": doc}, []string{"test/util: the name says nothing: name the package after the thing that it holds"}},
	} {
		t.Run(name, func(t *testing.T) {
			if got := inHouse(t, small, c.files); !slices.Equal(got, c.want) {
				t.Errorf("problems:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// lines returns a declaration that is n lines long, as it would be counted.
func lines(begin string, n int) string { return begin + strings.Repeat("\n", n-1) + "}\n" }

func TestBudgets(t *testing.T) {
	methods := "type Wide interface { A(); B(); C(); D(); "
	files := map[string]string{
		"word/file.go":    doc + strings.Repeat("\n", fileLines-1),
		"tree/long.go":    doc + lines("func f() {", functionLines) + lines("func (t *T[A, B]) g() {", functionLines+1) + "type T[A, B any] struct{}\n",
		"fetch/wide.go":   doc + methods + "E() }\n" + strings.ReplaceAll(methods, "Wide", "Wider") + "E(); F() }\n",
		"fetch/x_test.go": "package p\n" + lines("func f() {", functionLines+1),
	}
	house := small
	want := []string{
		`fetch/wide.go:4: Wider has 6 of at most 5 methods: ask for what each user needs, or give "fetch/wide.go Wider" a reason in Overruns in test/layers`,
		`tree/long.go:43: T.g has 41 of at most 40 lines: name its parts, or give "tree/long.go T.g" a reason in Overruns in test/layers`,
		`word/file.go: the file has 401 of at most 400 lines: split it by what its parts are about, or give "word/file.go" a reason in Overruns in test/layers`,
	}
	if got := inHouse(t, house, files); !slices.Equal(got, want) {
		t.Errorf("without reasons:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}

	house.Overruns = map[string]string{"fetch/wide.go Wider": "because", "tree/long.go T.g": "because", "word/file.go": "because", "tree/long.go f": "no more"}
	want = []string{"tree/long.go f: is within the budget: remove it from Overruns in test/layers"}
	if got := inHouse(t, house, files); !slices.Equal(got, want) {
		t.Errorf("with reasons:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestTheHouseItself(t *testing.T) {
	crooked := House{Module: "m", Layers: []Layer{
		{Name: "a", Rooms: []string{"x"}, On: []string{"b"}},
		{Name: "b", Rooms: []string{"x"}, On: []string{"b"}},
	}}
	want := []string{
		`test/layers/layers.go: the layer "a" stands on "b", which is not below it`,
		`test/layers/layers.go: the layer "b" stands on "b", which is not below it`,
		`test/layers/layers.go: x is in two layers, "a" and "b"`,
	}
	if got := inHouse(t, crooked, nil); !slices.Equal(got, want) {
		t.Errorf("got:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func TestFilesThatDoNotParseAreAnError(t *testing.T) {
	root := fstest.MapFS{"tree/t.go": &fstest.MapFile{Data: []byte("package")}}
	if problems, err := Check(root, small); err == nil {
		t.Errorf("problems %v, want an error", problems)
	}
}
