package settings

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// lineIndex says on which line of a TOML document each key stands, by its path:
// "zookeeper.servers", "repository[1].url". A table is where it is first named.
type lineIndex struct {
	parser unstable.Parser
	lines  map[string]int
	tables map[string]int // how many [[...]] of a path there were
}

// linesOf indexes a document that is known to be correct.
func linesOf(document []byte) map[string]int {
	x := lineIndex{lines: map[string]int{}, tables: map[string]int{}}
	x.parser.Reset(document)
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
func (x *lineIndex) key(path string, e *unstable.Node) string {
	for it := e.Key(); it.Next(); {
		path = x.note(join(path, string(it.Node().Data)), it.Node())
		if n := x.tables[path]; n > 0 && !it.IsLast() {
			path = element(path, n-1) // [a.b] below [[a]] speaks of the last a
		}
	}
	return path
}

func (x *lineIndex) arrayTable(e *unstable.Node) string {
	path := x.key("", e)
	it := e.Key()
	for it.Next() && !it.IsLast() {
	}
	x.tables[path]++
	return x.note(element(path, x.tables[path]-1), it.Node())
}

func (x *lineIndex) keyValue(table string, e *unstable.Node) {
	x.value(x.key(table, e), e.Value())
}

// value looks for keys inside a value.
func (x *lineIndex) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.InlineTable:
		for it := v.Children(); it.Next(); {
			x.keyValue(path, it.Node())
		}
	case unstable.Array:
		for i, it := 0, v.Children(); it.Next(); i++ {
			x.value(element(path, i), it.Node())
		}
	}
}

// note keeps the first line that path was seen on.
func (x *lineIndex) note(path string, n *unstable.Node) string {
	if _, seen := x.lines[path]; !seen {
		x.lines[path] = x.parser.Shape(n.Raw).Start.Line
	}
	return path
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join adds a key to the path of its table, quoted as TOML wants it where it is not plain.
func join(path, name string) string {
	if !bareKey.MatchString(name) {
		name = quote(name)
	}
	return strings.TrimPrefix(path+"."+name, ".")
}

// element is the path of one element of a list.
func element(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }
