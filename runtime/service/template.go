package service

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"text/template"
	tree "text/template/parse"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

// Vars is what templates in a spec can name.
type Vars struct {
	Coordinate  string
	Instance    int32
	Service     string
	User        string
	Cell        string
	RuntimeDir  string
	SoftwareDir string // empty without an artifact
	Ports       map[string]int
	Node        struct{ Name string }
	Env         map[string]string // the service's own, as far as it holds no templates itself
}

// Rendered is what the templates of a spec come to.
type Rendered struct {
	Args   []string // options first, then args
	Env    map[string]string
	Drain  Drain
	Checks []Check
	Files  []File // the texts filled in; what comes from a source is for Fill, once it is there

	vars Vars
}

// Fill fills in the templates of a text that came from elsewhere, with the same names.
func (r Rendered) Fill(text string) (string, error) { return renderOne(text, r.vars) }

// Render fills in the templates of s. v.Env holds the variables that every service gets;
// those of the spec join them. The error has every fault.
func (s Spec) Render(v Vars) (Rendered, error) {
	env, faults := s.renderEnv(v)
	out := Rendered{Env: env}
	v.Env = env
	render := func(where, text string) string {
		done, err := renderOne(text, v)
		if err != nil {
			faults = append(faults, fault.Field{Location: where, Message: err.Error()})
		}
		return done
	}
	out.Args, _ = OptionArgs(s.Options, func(where, text string) (string, error) { return render(where, text), nil })
	for i, text := range s.Args {
		out.Args = append(out.Args, render(fmt.Sprintf("args[%d]", i), text))
	}
	if s.Drain != nil {
		out.Drain = *s.Drain
		out.Drain.HTTP = render("drain.http", s.Drain.HTTP)
		out.Drain.Exec = nil
		for i, text := range s.Drain.Exec {
			out.Drain.Exec = append(out.Drain.Exec, render(fmt.Sprintf("drain.exec[%d]", i), text))
		}
	}
	for i, c := range s.Checks {
		out.Checks = append(out.Checks, c.render(fmt.Sprintf("checks[%d]", i), render))
	}
	out.Files = s.renderFiles(render)
	out.vars = v
	return out, fault.Fields("the templates of the spec cannot be filled in", faults)
}

func (s Spec) renderFiles(render func(where, text string) string) []File {
	files := slices.Clone(s.Files)
	for i, f := range files {
		if f.Template && f.Text != nil {
			text := render(fmt.Sprintf("files[%d].text", i), *f.Text)
			files[i].Text, files[i].Template = &text, false
		}
	}
	return files
}

// renderEnv fills in the templates of the variables, each once those that it names are
// filled in: a value can be built out of others without an order to think of. One that
// names itself means what every service gets: PATH = "/own/bin:{{.Env.PATH}}". What is left
// names something that is not there.
func (s Spec) renderEnv(v Vars) (map[string]string, []fault.Field) {
	base, left := v.Env, maps.Clone(s.Env)
	v.Env = map[string]string{}
	for key, value := range base {
		if _, own := left[key]; !own {
			v.Env[key] = value
		}
	}
	for {
		before := len(left)
		var faults []fault.Field
		for _, key := range slices.Sorted(maps.Keys(left)) {
			if value, ok := base[key]; ok {
				v.Env[key] = value
			}
			done, err := renderOne(left[key], v)
			if err != nil {
				delete(v.Env, key)
				faults = append(faults, fault.Field{Location: "env." + key, Message: err.Error()})
				continue
			}
			v.Env[key] = done
			delete(left, key)
		}
		if len(left) == before || len(left) == 0 {
			return v.Env, faults
		}
	}
}

// portPath is a port's name as people write it in a template, where it may hold a "-", which
// is not for a field's name. It is asked for by a function then.
var portPath = regexp.MustCompile(`\.Ports\.([a-z][a-z0-9_]*-[a-z0-9_-]*)`)

func hasTemplate(text string) bool { return strings.Contains(text, "{{") }

func renderOne(text string, v Vars) (string, error) {
	if !hasTemplate(text) {
		return text, nil
	}
	port := func(name string) (int, error) {
		if p, ok := v.Ports[name]; ok {
			return p, nil
		}
		return 0, fmt.Errorf("there is no port %s", name)
	}
	text = templatePart.ReplaceAllStringFunc(text, func(part string) string { return portPath.ReplaceAllString(part, `(port "$1")`) })
	t, err := template.New("template").Funcs(template.FuncMap{"port": port}).Option("missingkey=error").Parse(text)
	if err != nil {
		return "", fmt.Errorf("is no valid template: %s", readable(err))
	}
	if loops(t.Root) {
		return "", errors.New("is no valid template: range and template are not for specs; name what is wanted")
	}
	var b strings.Builder
	if err := t.Execute(limited{&b, 1 << 20}, v); err != nil {
		return "", fmt.Errorf("cannot be filled in: %s", readable(err))
	}
	return b.String(), nil
}

// loops tells whether a template could run for ever: nothing ends it once it runs, and
// {{range 1000000000000}} writes nothing that could be counted.
func loops(n tree.Node) bool {
	switch n := n.(type) {
	case *tree.ListNode:
		return n != nil && slices.ContainsFunc(n.Nodes, loops)
	case *tree.IfNode:
		return loops(n.List) || loops(n.ElseList)
	case *tree.WithNode:
		return loops(n.List) || loops(n.ElseList)
	case *tree.RangeNode, *tree.TemplateNode:
		return true
	}
	return false
}

var templateNoise = regexp.MustCompile(`^template: template:(\d+:)*\s*|executing "template" at `)

// readable takes the machinery out of text/template's errors, and says what there is instead.
func readable(err error) string {
	return templateNoise.ReplaceAllString(err.Error(), "") +
		" (there are .Coordinate, .Instance, .Service, .User, .Cell, .RuntimeDir, .SoftwareDir, .Ports.<name>, .Node.Name and .Env.<NAME>)"
}

// limited stops a template that would fill the memory.
type limited struct {
	b    *strings.Builder
	most int
}

func (l limited) Write(p []byte) (int, error) {
	if l.b.Len()+len(p) > l.most {
		return 0, io.ErrShortWrite
	}
	return l.b.Write(p)
}

// checkTemplates finds at the time of the request what would fail before every start: names
// that do not exist. The values that a host gives are stood in for.
func checkTemplates(r *document.Reader, s Spec) {
	v := Vars{Ports: map[string]int{}, Env: map[string]string{}}
	for name := range s.Ports {
		v.Ports[name] = 1
	}
	for _, name := range slices.Concat(baseVariables, []string{"NODEE_COORDINATE", "NODEE_RUNTIME_DIR", "NODEE_SOFTWARE_DIR", "NODEE_NODE", "NODEE_GENERATION"}) {
		v.Env[name] = ""
	}
	for name := range s.Ports {
		v.Env[PortVariable(name)] = "1"
	}
	_, err := s.Render(v)
	for _, f := range fault.FieldsOf(err) {
		r.Fault(f.Location, nil, "%s", f.Message)
	}
}

// baseVariables are what every service's environment holds, beside the NODEE_ ones.
var baseVariables = []string{"PATH", "HOME", "USER", "LOGNAME", "LANG", "TMPDIR"}

var templatePart = regexp.MustCompile(`\{\{[^}]*\}\}`)

// templateSample puts something harmless in the place of every template, so that the rest
// of the text can be checked.
func templateSample(text string) string { return templatePart.ReplaceAllString(text, "1") }
