package settings

import (
	"errors"
	"io"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

// maxFile bounds what is read of a configuration file, so that a wrong path (a device, an
// archive) is told as such.
const maxFile = 1 << 20

// file is what a configuration file sets.
type file struct {
	path         string
	values       map[string]any // by the name of the key, of the type of its field
	repositories []Repository   // nil: none are set
	lines        document.Lines
	faults       []fault.Field // in the order of the lines once decode is done
}

// readFile reads the file at path. A file that cannot be read is empty and faulty.
func readFile(path string) *file {
	f := &file{path: path}
	document, err := readAtMost(path, maxFile)
	if err != nil {
		f.faults = []fault.Field{{Location: "config", Message: "cannot read the file: " + err.Error()}}
		return f
	}
	f.decode(document)
	return f
}

func readAtMost(path string, limit int64) ([]byte, error) {
	r, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = errors.New(path + " is no configuration: larger than 1 MiB")
	}
	return b, err
}

// decode reads a document: every key that is known into values, all others into faults.
func (f *file) decode(text []byte) {
	f.values = map[string]any{}
	tree := map[string]any{}
	if err := toml.Unmarshal(text, &tree); err != nil {
		f.faults = []fault.Field{f.syntaxFault(err)}
		return
	}
	f.lines = document.LinesOf(text, document.TOML, join)
	f.table("", tree)
	slices.SortStableFunc(f.faults, func(a, b fault.Field) int { return f.lines.Of(a.Location) - f.lines.Of(b.Location) })
	for i, fa := range f.faults {
		f.faults[i].Message += " (" + f.where(fa.Location) + ")"
	}
}

// syntaxFault tells where a document stops being TOML. Only the first such place is known.
func (f *file) syntaxFault(err error) fault.Field {
	at, location := f.path, "config"
	if e, ok := errors.AsType[*toml.DecodeError](err); ok {
		row, column := e.Position()
		at += ":" + strconv.Itoa(row) + ":" + strconv.Itoa(column)
		if len(e.Key()) > 0 {
			location = strings.Join(e.Key(), ".")
		}
	}
	return fault.Field{Location: location, Message: strings.TrimPrefix(err.Error(), "toml: ") + " (" + at + ")"}
}

// table decodes what stands at path, "" for the document itself.
func (f *file) table(path string, tree map[string]any) {
	for name, value := range tree {
		at := join(path, name)
		inner, isTable := value.(map[string]any)
		i := slices.IndexFunc(keys, func(k key[Settings]) bool { return k.name == at })
		switch {
		case i >= 0:
			take(f, at, keys[i], value, func(v any) { f.values[at] = v })
		case at == "repository":
			f.repositoryTables(value)
		case slices.Contains(laterTables, at):
			f.fault(at, notYet)
		case isKnownTable(at) && isTable:
			f.table(at, inner)
		case isKnownTable(at):
			f.fault(at, "is "+typeOf(value)+", expected a table: ["+at+"]")
		default:
			f.unknown(at, knownNames())
		}
	}
}

// take decodes the value of a known key.
func take[S any](f *file, at string, k key[S], value any, set func(any)) {
	v, err := k.fromTOML(value)
	if err != nil {
		f.fault(at, err.Error())
		return
	}
	set(v)
}

func (f *file) repositoryTables(value any) {
	items, ok := value.([]any)
	f.repositories = []Repository{}
	for i, item := range items {
		tree, isTable := item.(map[string]any)
		ok = ok && isTable
		f.repositories = append(f.repositories, f.repository(document.Element("repository", i), tree))
	}
	if !ok {
		f.fault("repository", "is "+typeOf(value)+", expected tables: [[repository]]")
	}
}

func (f *file) repository(path string, tree map[string]any) Repository {
	r := defaultRepository()
	for name, value := range tree {
		at := join(path, name)
		i := slices.IndexFunc(repositoryKeys, func(k key[Repository]) bool { return k.name == name })
		if i < 0 {
			f.unknown(at, repositoryNames(path))
			continue
		}
		take(f, at, repositoryKeys[i], value, func(v any) { repositoryKeys[i].set(&r, v) })
	}
	return r
}

func (f *file) unknown(at string, known []string) {
	message := "is no key of the configuration"
	if near := nearest(at, known); near != "" {
		message += ", did you mean " + near + "?"
	}
	f.fault(at, message)
}

func (f *file) fault(at, message string) {
	f.faults = append(f.faults, fault.Field{Location: at, Message: message})
}

// where names the place of a path for people.
func (f *file) where(path string) string { return f.path + ":" + strconv.Itoa(f.lines.Of(path)) }

func isKnownTable(path string) bool {
	return slices.ContainsFunc(keys, func(k key[Settings]) bool { return strings.HasPrefix(k.name, path+".") })
}

func knownNames() []string {
	names := []string{"repository"}
	for _, k := range keys {
		names = append(names, k.name)
		if table, _, nested := strings.Cut(k.name, "."); nested {
			names = append(names, table)
		}
	}
	return names
}

func repositoryNames(path string) []string {
	names := make([]string, 0, len(repositoryKeys))
	for _, k := range repositoryKeys {
		names = append(names, join(path, k.name))
	}
	return names
}

var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// join adds a key to the path of its table, quoted as TOML wants it where it is not plain.
func join(path, name string) string {
	if !bareKey.MatchString(name) {
		name = quote(name)
	}
	return document.Join(path, name)
}
