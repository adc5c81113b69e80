package layers

import (
	"go/ast"
	"path"
	"slices"
	"strings"
)

// The budgets. Going over one is allowed for a reason, which stands in House.Overruns under
// the file ("cli/table.go"), the function ("cli/table.go Table.Print") or the interface
// ("nodee/rest/node.go Node").
const (
	fileLines        = 400
	functionLines    = 40
	interfaceMethods = 5
)

// vague are names that say nothing of what a package is for.
var vague = []string{"util", "utils", "common", "helper", "helpers", "manager", "misc", "shared"}

func (c *checker) name(p *folder) {
	if slices.Contains(vague, path.Base(p.path)) {
		c.say(0, p.path, "the name says nothing: name the package after the thing that it holds")
	}
}

// doc wants one doc comment for each package. One that is built for tests alone needs none.
func (c *checker) doc(p *folder) {
	var documented []string
	first := ""
	for _, f := range p.files {
		if f.isTest() {
			continue
		}
		if first == "" {
			first = f.ast.Name.Name
		}
		if f.ast.Doc != nil && strings.TrimSpace(f.ast.Doc.Text()) != "" {
			documented = append(documented, path.Base(f.path))
		}
	}
	switch {
	case first == "":
	case len(documented) == 0:
		c.say(0, p.path, "package %s has no doc comment: say what it is for, who owns its goroutines and what it refuses to do", first)
	case len(documented) > 1:
		c.say(0, p.path, "package %s has more than one doc comment, in %s: keep one", first, strings.Join(documented, " and "))
	}
}

func (c *checker) fileBudget(f *file) {
	c.budget(0, f.path, "", f.lines, fileLines, "lines: split it by what its parts are about")
}

func (c *checker) budgets(f *file) {
	for _, d := range f.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			lines := f.line(d.End()) - f.line(d.Pos()) + 1
			c.budget(f.line(d.Pos()), f.path, functionName(d), lines, functionLines, "lines: name its parts")
		case *ast.GenDecl:
			c.interfaces(f, d)
		}
	}
}

func (c *checker) interfaces(f *file, d *ast.GenDecl) {
	for _, spec := range d.Specs {
		t, ok := spec.(*ast.TypeSpec)
		if !ok {
			continue
		}
		if i, ok := t.Type.(*ast.InterfaceType); ok {
			c.budget(f.line(t.Pos()), f.path, t.Name.Name, i.Methods.NumFields(), interfaceMethods, "methods: ask for what each user needs")
		}
	}
}

// budget tells of something that has more than it should, unless a reason is known.
func (c *checker) budget(line int, file, what string, has, most int, advice string) {
	if has <= most {
		return
	}
	key := strings.TrimSpace(file + " " + what)
	delete(c.unused, key)
	if c.house.Overruns[key] != "" {
		return
	}
	c.say(line, file, "%s has %d of at most %d %s, or give %q a reason in Overruns in test/layers",
		subject(what), has, most, advice, key)
}

func subject(what string) string {
	if what == "" {
		return "the file"
	}
	return what
}

func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil || len(d.Recv.List) == 0 {
		return d.Name.Name
	}
	receiver := d.Recv.List[0].Type
	for {
		switch t := receiver.(type) {
		case *ast.StarExpr:
			receiver = t.X
		case *ast.IndexExpr:
			receiver = t.X
		case *ast.IndexListExpr:
			receiver = t.X
		case *ast.Ident:
			return t.Name + "." + d.Name.Name
		default:
			return d.Name.Name
		}
	}
}
