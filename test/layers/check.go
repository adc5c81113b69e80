package layers

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
)

// Check reads every Go file below root, the top of the module, and tells in order what is
// not as house wants it. An error means that the files could not be read.
func Check(root fs.FS, house House) ([]string, error) {
	packages, err := read(root)
	if err != nil {
		return nil, err
	}
	c := &checker{house: house, unused: map[string]bool{}}
	for name := range house.Overruns {
		c.unused[name] = true
	}
	c.layersPointDown()
	for _, p := range packages {
		c.check(p)
	}
	for name := range c.unused {
		c.say(0, name, "is within the budget: remove it from Overruns in test/layers")
	}
	slices.SortFunc(c.problems, func(a, b problem) int {
		return cmp.Or(cmp.Compare(a.place, b.place), cmp.Compare(a.line, b.line), cmp.Compare(a.text, b.text))
	})
	var texts []string
	for _, p := range c.problems {
		texts = append(texts, p.String())
	}
	return texts, nil
}

// A folder is a package as far as the checks see it: one folder's files.
type folder struct {
	path  string
	files []*file
}

type file struct {
	path  string
	lines int
	fset  *token.FileSet
	ast   *ast.File
}

func (f *file) line(p token.Pos) int { return f.fset.Position(p).Line }

// isTest tells whether only tests are built from the file.
func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// read parses the files of every folder that Go would look into.
func read(root fs.FS) ([]*folder, error) {
	folders := map[string]*folder{}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case d.IsDir() && name != "." && (base == "testdata" || strings.HasPrefix(base, ".") || strings.HasPrefix(base, "_")):
			return fs.SkipDir
		case d.IsDir() || path.Ext(name) != ".go":
			return nil
		}
		f, err := parse(root, name)
		if err != nil {
			return err
		}
		dir := path.Dir(name)
		if folders[dir] == nil {
			folders[dir] = &folder{path: dir}
		}
		folders[dir].files = append(folders[dir].files, f)
		return nil
	})
	all := make([]*folder, 0, len(folders))
	for _, p := range folders {
		all = append(all, p)
	}
	return all, err
}

func parse(root fs.FS, name string) (*file, error) {
	source, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	fset := token.NewFileSet()
	tree, err := parser.ParseFile(fset, name, source, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, fmt.Errorf("cannot check the layers: %w", err)
	}
	return &file{path: name, lines: strings.Count(string(source), "\n"), fset: fset, ast: tree}, nil
}

type problem struct {
	place string
	line  int // 0: the place as a whole
	text  string
}

func (p problem) String() string {
	if p.line == 0 {
		return p.place + ": " + p.text
	}
	return p.place + ":" + strconv.Itoa(p.line) + ": " + p.text
}

type checker struct {
	house    House
	unused   map[string]bool // overruns that nothing needed so far
	problems []problem
}

func (c *checker) say(line int, place, format string, args ...any) {
	c.problems = append(c.problems, problem{place, line, fmt.Sprintf(format, args...)})
}

// check applies every rule to one package.
func (c *checker) check(p *folder) {
	layer := c.layerOf(p.path)
	if layer == nil {
		c.say(0, p.path, "this package has no layer: give it one in test/layers/layers.go, the lowest that has all it needs")
	}
	c.name(p)
	c.doc(p)
	for _, f := range p.files {
		c.fileBudget(f)
		if f.isTest() {
			continue
		}
		c.budgets(f)
		if layer != nil {
			c.imports(layer, p.path, f)
		}
		if !isTestSupport(p.path) {
			c.goroutines(p.path, f)
			c.sleeps(f)
		}
	}
}

// isTestSupport tells whether a package is there for tests alone: one below test/, or one
// that is named after the package that it tests, as net/http/httptest is.
func isTestSupport(at string) bool {
	return strings.HasPrefix(at, "test/") || strings.HasSuffix(at, "test")
}

// goroutines refuses what starts goroutines anywhere but where the house lets them begin.
func (c *checker) goroutines(at string, f *file) {
	if c.house.Starters[at] != "" {
		return
	}
	const instead = "use internal/group, which knows who waits for it"
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if g, ok := n.(*ast.GoStmt); ok {
			c.say(f.line(g.Pos()), f.path, "starts a goroutine: %s", instead)
		}
		return true
	})
	c.uses(f, "sync", "WaitGroup", instead)
	c.uses(f, "golang.org/x/sync/errgroup", "Group", instead)
}

func (c *checker) sleeps(f *file) {
	c.uses(f, "time", "Sleep", "select on a timer and on ctx.Done(), so that it can be told to stop")
}

// uses tells where f uses a name of a package.
func (c *checker) uses(f *file, imported, name, instead string) {
	local := localName(f, imported)
	if local == "" {
		return
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		s, ok := n.(*ast.SelectorExpr)
		if !ok || s.Sel.Name != name {
			return true
		}
		if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
			c.say(f.line(s.Pos()), f.path, "uses %s.%s: %s", path.Base(imported), name, instead)
		}
		return true
	})
}

// localName is what f calls an imported package, "" if it does not import it.
func localName(f *file, imported string) string {
	for _, i := range f.ast.Imports {
		switch {
		case importPath(i) != imported:
		case i.Name != nil:
			return i.Name.Name
		default:
			return path.Base(imported)
		}
	}
	return ""
}

func importPath(i *ast.ImportSpec) string {
	// The parser has accepted the literal already.
	p, _ := strconv.Unquote(i.Path.Value)
	return p
}
