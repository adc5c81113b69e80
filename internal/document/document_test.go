package document

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

func TestTheSameTablesInEveryFormat(t *testing.T) {
	var first map[string]any
	for format, text := range map[Format]string{
		JSON: `{"a":{"n":10000000,"f":0.5,"l":[1,"x",true]}}`,
		TOML: "[a]\nn = 10000000\nf = 0.5\nl = [1, 'x', true]\n",
		YAML: "a:\n  n: 10000000\n  f: 0.5\n  l: [1, x, true]\n",
	} {
		table, err := Parse([]byte(text), format, "it")
		if err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		if first == nil {
			first = table
		}
		if !reflect.DeepEqual(table, first) {
			t.Errorf("%s gives %#v; another %#v", format, table, first)
		}
	}
}

func TestWhatIsNoDocumentIsNotRepeated(t *testing.T) {
	for format, text := range map[Format]string{
		JSON: `{"password":"s3cret"`, TOML: "password = \"s3cret\"\nx", YAML: "password: s3cret\n\tx: [",
	} {
		_, err := Parse([]byte(text), format, "the thing")
		if fault.KindOf(err) != fault.Malformed || !strings.HasPrefix(err.Error(), "the thing cannot be read as ") || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

// One of the two was not meant.
func TestNoFormatTakesAKeyTwice(t *testing.T) {
	for text, wrong := range map[string]string{
		`{"a":1,` + "\n" + `"b":{"a":1,"c":[{"a":1},{"a":2},"a","a"]},"c":"a"}`: "",
		`{"a":{},"b":[],"c":"b"}`:                      "",
		`{"a":1,` + "\n\n" + `"b":2,"a":1}`:            `line 3: key "a" is already defined`,
		`{"a":{"b":[{"c":1},{"x":"c","c":[],"c":1}]}}`: `line 1: key "c" is already defined`,
		`{"a":{"b":1},"c":2,"a":{}}`:                   `key "a" is already defined`,
		`{"a":[],"a":"a"}`:                             `key "a" is already defined`,
		`{"a":1,"\u0061":2}`:                           `key "a" is already defined`,
	} {
		_, err := Parse([]byte(text), JSON, "it")
		if wrong == "" && err != nil || wrong != "" && (fault.KindOf(err) != fault.Malformed || !strings.Contains(err.Error(), wrong)) {
			t.Errorf("%s: %v; want %q", text, err, wrong)
		}
	}
	for format, text := range map[Format]string{TOML: "a = 1\na = 2\n", YAML: "a: 1\na: 2\n"} {
		if _, err := Parse([]byte(text), format, "it"); fault.KindOf(err) != fault.Malformed || !strings.Contains(err.Error(), "already defined") {
			t.Errorf("%s: %v", format, err)
		}
	}
}

func TestReadersGatherTheFaultsOfAll(t *testing.T) {
	table, err := Parse([]byte(`{"n":"x","sub":{"d":5,"more":1},"list":[{"s":[]},7],"gone":null}`), JSON, "it")
	if err != nil {
		t.Fatal(err)
	}
	r := NewReader("body.", table)
	n, d, s := 7, quantity.Duration(0), "kept"
	r.Whole("n", &n, 0, 9)
	if r.Has("gone") || !r.Has("n") {
		t.Error("null counts as given, or what is given does not")
	}
	sub, _ := r.Sub("sub")
	sub.Duration("d", &d)
	sub.Finish("more")
	for _, part := range r.Tables("list") {
		part.Text("s", &s)
		part.Finish()
	}
	r.Finish()
	var got []string
	for _, f := range r.Faults() {
		got = append(got, f.Location)
	}
	want := []string{"body.n", "body.sub.d", "body.sub.more", "body.list[1]", "body.list[0].s", "body.gone"}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults at %q; want %q", got, want)
	}
	if n != 7 || s != "kept" {
		t.Errorf("what is wrong took the place of a default: %d, %q", n, s)
	}
}

func TestGuess(t *testing.T) {
	for text, want := range map[string]Format{
		" \n{\"a\": 1}": JSON, "{broken": JSON, "a = 1\n[b]\nc = 2\n": TOML, "": TOML, "a: 1\nb: [c]\n": YAML, "# only this\na: {b: 1}": YAML,
		"just words": "", "a = [": "", "[1, 2]": "",
	} {
		if got, err := Guess([]byte(text)); got != want || (err == nil) == (want == "") {
			t.Errorf("%q is taken for %q, %v; want %q", text, got, err, want)
		}
	}
}
