package document

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
	"go.yaml.in/yaml/v3"
)

// Lines says on which line of a document each key and each element of a list stands, by its
// path: "spec.restart.max", "constraints[1].value". A table of TOML is where it is first named.
type Lines map[string]int

// Of returns the line of a path, or of the nearest table around it; 0 where none is known.
func (l Lines) Of(path string) int {
	for path != "" {
		if line, ok := l[path]; ok {
			return line
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

// LinesOf indexes a document that Parse can read. join makes the path of a key below that of
// its table, which is "" for the document itself.
func LinesOf(data []byte, format Format, join func(table, key string) string) Lines {
	switch format {
	case TOML:
		return linesOfTOML(data, join)
	case YAML:
		return linesOfYAML(data, join)
	default:
		return linesOfJSON(data, join)
	}
}

// Join makes the paths that readers give to faults.
func Join(table, key string) string { return strings.TrimPrefix(table+"."+key, ".") }

// Element is the path of one element of a list.
func Element(list string, i int) string { return list + "[" + strconv.Itoa(i) + "]" }

// tomlIndex gathers the lines of a document in TOML.
type tomlIndex struct {
	parser unstable.Parser
	join   func(table, key string) string
	lines  Lines
	tables map[string]int // how many [[...]] of a path there were
}

func linesOfTOML(data []byte, join func(table, key string) string) Lines {
	x := tomlIndex{join: join, lines: Lines{}, tables: map[string]int{}}
	x.parser.Reset(data)
	table := ""
	for x.parser.NextExpression() {
		switch e := x.parser.Expression(); e.Kind {
		case unstable.Table:
			table = x.key("", e)
		case unstable.ArrayTable:
			table = x.arrayTable(e)
		case unstable.KeyValue:
			x.keyValue(table, e)
		}
	}
	return x.lines
}

// key notes where each part of an expression's key stands, and returns the path of the last.
func (x *tomlIndex) key(path string, e *unstable.Node) string {
	for it := e.Key(); it.Next(); {
		path = x.note(x.join(path, string(it.Node().Data)), it.Node())
		if n := x.tables[path]; n > 0 && !it.IsLast() {
			path = Element(path, n-1) // [a.b] below [[a]] speaks of the last a
		}
	}
	return path
}

func (x *tomlIndex) arrayTable(e *unstable.Node) string {
	path := x.key("", e)
	it := e.Key()
	for it.Next() && !it.IsLast() {
	}
	x.tables[path]++
	return x.note(Element(path, x.tables[path]-1), it.Node())
}

func (x *tomlIndex) keyValue(table string, e *unstable.Node) {
	x.value(x.key(table, e), e.Value())
}

// value looks for keys inside a value.
func (x *tomlIndex) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			x.keyValue(path, it.Node())
		}
	case unstable.Array:
		for i, it := 0, v.Children(); it.Next(); i++ {
			x.value(Element(path, i), it.Node())
		}
	}
}

// note keeps the first line that path was seen on.
func (x *tomlIndex) note(path string, n *unstable.Node) string {
	if _, seen := x.lines[path]; !seen {
		x.lines[path] = x.parser.Shape(n.Raw).Start.Line
	}
	return path
}

func linesOfYAML(data []byte, join func(table, key string) string) Lines {
	lines := Lines{}
	var root yaml.Node
	if yaml.Unmarshal(data, &root) != nil || len(root.Content) == 0 {
		return lines
	}
	var walk func(path string, n *yaml.Node)
	walk = func(path string, n *yaml.Node) {
		switch n.Kind {
		case yaml.MappingNode:
			for i := 0; i+1 < len(n.Content); i += 2 {
				at := join(path, n.Content[i].Value)
				lines[at] = n.Content[i].Line
				walk(at, n.Content[i+1])
			}
		case yaml.SequenceNode:
			for i, element := range n.Content {
				lines[Element(path, i)] = element.Line
				walk(Element(path, i), element)
			}
		}
		// What an alias stands for is where its anchor is, under another path.
	}
	walk("", root.Content[0])
	return lines
}

// jsonIndex gathers the lines of a document in JSON.
type jsonIndex struct {
	data  []byte
	read  *json.Decoder
	join  func(table, key string) string
	lines Lines
	line  int   // of offset
	seen  int64 // how far lines were counted
}

func linesOfJSON(data []byte, join func(table, key string) string) Lines {
	x := jsonIndex{data: data, read: json.NewDecoder(bytes.NewReader(data)), join: join, lines: Lines{}, line: 1}
	_ = x.value("") // what was read already can be read again
	return x.lines
}

// value notes what stands inside the next value.
func (x *jsonIndex) value(path string) error {
	token, err := x.read.Token()
	if err != nil {
		return err
	}
	if path != "" {
		x.note(path)
	}
	open, _ := token.(json.Delim)
	for i := 0; (open == '{' || open == '[') && x.read.More(); i++ {
		at := Element(path, i)
		if open == '{' {
			key, err := x.read.Token()
			if err != nil {
				return err
			}
			at = x.join(path, fmt.Sprint(key))
			x.note(at)
		}
		if err := x.value(at); err != nil {
			return err
		}
	}
	if open == '{' || open == '[' {
		_, err = x.read.Token()
	}
	return err
}

// note keeps the line of what was read last as that of path: of its key, where it has one.
func (x *jsonIndex) note(path string) {
	at := x.read.InputOffset()
	x.line += bytes.Count(x.data[x.seen:at], []byte("\n"))
	x.seen = at
	if _, known := x.lines[path]; !known {
		x.lines[path] = x.line
	}
}
