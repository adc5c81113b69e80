package artifact

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestParseRef(t *testing.T) {
	for in, want := range map[string]Ref{
		"com.example:web:1.2.0":                      {Group: "com.example", Name: "web", Version: "1.2.0"},
		"com.example:web:1.2.0@tar.gz":               {Group: "com.example", Name: "web", Version: "1.2.0", Extension: "tar.gz"},
		"g:n:1:linux-amd64":                          {Group: "g", Name: "n", Version: "1", Classifier: "linux-amd64"},
		"g:n:1:{os}-{arch}@zip":                      {Group: "g", Name: "n", Version: "1", Classifier: "{os}-{arch}", Extension: "zip"},
		"_g:+n:1.0+build..7_x-":                      {Group: "_g", Name: "+n", Version: "1.0+build..7_x-"},
		strings.Repeat("a", 128) + ":n:1":            {Group: strings.Repeat("a", 128), Name: "n", Version: "1"},
		"g:n:" + strings.Repeat("1", 128) + ":x@zip": {Group: "g", Name: "n", Version: strings.Repeat("1", 128), Classifier: "x", Extension: "zip"},
	} {
		got, err := ParseRef(in)
		if err != nil || got != want {
			t.Errorf("ParseRef(%q) = %+v, %v; want %+v", in, got, err, want)
		}
		if got.String() != in {
			t.Errorf("ParseRef(%q) is written %q", in, got)
		}
	}
}

func TestParseRefSaysWhichPartIsWrong(t *testing.T) {
	long := strings.Repeat("1", 128)
	for in, part := range map[string]string{
		"":                             "expected <group>:<name>:<version>",
		"g:n":                          "expected <group>:<name>:<version>",
		"g:n:1:c:x":                    "expected <group>:<name>:<version>",
		":n:1":                         "group is empty",
		"..:n:1":                       "group starts with '.'",
		"g/../x:n:1":                   "group holds '/'",
		"g:-n:1":                       "name starts with '-'",
		"g:n n:1":                      "name holds ' '",
		"g:n:":                         "version is empty",
		"g:n:.staging":                 "version starts with '.'",
		"g:n:1" + long:                 "version has 129 characters",
		"g:n:ä":                        "version holds 'ä'",
		"g:n:{os}":                     "version holds '{'",
		"{arch}:n:1":                   "group holds '{'",
		"g:n:1:":                       "classifier is empty",
		"g:n:1:{user}":                 "classifier holds '{'",
		"g:n:1:-{os}":                  "classifier starts with '-'",
		"g:n:" + long + ":" + long:     "together are longer than 254",
		"g:n:1:" + long[:120] + "{os}": "classifier has 132 characters",
		"g:n:1@":                       "extension is empty",
		"g:n:1@zip@zip":                "extension holds '@'",
		"g:n:1@{os}":                   "extension holds '{'",
		"g:n:1\x00":                    `version holds '\x00'`,
		"g:n:" + long + ":" + long[:105] + "{os}{arch}": "together are longer than 254",
	} {
		if got, err := ParseRef(in); err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("ParseRef(%q) = %+v, %v; want an error with %q", in, got, err, part)
		}
	}
	_, err := ParseRef(":n/:1")
	if err == nil || !strings.Contains(err.Error(), "group is empty; its name holds '/'") {
		t.Errorf("two faults are told as %v", err)
	}
}

func TestForPutsTheNodeIntoTheClassifier(t *testing.T) {
	r := Ref{Group: "g", Name: "n", Version: "1", Classifier: "{os}-{arch}-x"}
	if got := r.For("linux", "arm64").ID(); got != (ID{"g", "n", "1", "linux-arm64-x"}) {
		t.Errorf("For = %v", got)
	}
}

func TestIDHasOnePlace(t *testing.T) {
	for dir, id := range map[string]ID{
		"com.example/web/1.2.0":             {"com.example", "web", "1.2.0", ""},
		"com.example/web/1.2.0@linux-amd64": {"com.example", "web", "1.2.0", "linux-amd64"},
	} {
		if id.Dir() != dir {
			t.Errorf("%v stands in %s, want %s", id, id.Dir(), dir)
		}
		p := strings.Split(dir, "/")
		if got, err := ParseID(p[0], p[1], p[2]); err != nil || got != id {
			t.Errorf("ParseID(%s) = %v, %v; want %v", dir, got, err, id)
		}
	}
	for _, p := range [][3]string{{"g", "n", ""}, {"g", "n", "1@"}, {"g", "n", "1@a@b"}, {"..", "n", "1"}, {"g", "n", "1@{os}"}, {".staging", "x", "y"}} {
		if got, err := ParseID(p[0], p[1], p[2]); err == nil {
			t.Errorf("ParseID(%q) = %v, want an error", p, got)
		}
	}
}

func TestRefInJSON(t *testing.T) {
	var v struct{ Artifact Ref }
	if err := json.Unmarshal([]byte(`{"Artifact":"g:n:1@zip"}`), &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(v)
	if err != nil || string(out) != `{"Artifact":"g:n:1@zip"}` {
		t.Errorf("written %s, %v", out, err)
	}
	if err := json.Unmarshal([]byte(`{"Artifact":"g:n"}`), &v); err == nil {
		t.Error("half a reference was accepted")
	}
}

func TestIDsAreOrdered(t *testing.T) {
	ids := []ID{{"a", "a", "1", ""}, {"a", "a", "1", "x"}, {"a", "a", "2", ""}, {"a", "b", "1", ""}, {"b", "a", "1", ""}}
	for i := 1; i < len(ids); i++ {
		if ids[i-1].Compare(ids[i]) >= 0 || ids[i].Compare(ids[i-1]) <= 0 || ids[i].Compare(ids[i]) != 0 {
			t.Errorf("%v and %v are out of order", ids[i-1], ids[i])
		}
	}
}

func FuzzParseRef(f *testing.F) {
	for _, s := range []string{"g:n:1", "g:n:1:c@zip", "g:n:1:{os}-{arch}", "::", "g:n:1@@", "..:..:.."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRef(s)
		if err != nil {
			return
		}
		if r.String() != s {
			t.Fatalf("%q is read as %+v and written %q", s, r, r)
		}
		id := r.For("linux", "mips64le").ID()
		p := strings.Split(id.Dir(), "/")
		if len(p) != 3 || strings.HasPrefix(id.Dir(), ".") || len(id.Folder()) > 255 {
			t.Fatalf("%q stands in %q", s, id.Dir())
		}
		if back, err := ParseID(p[0], p[1], p[2]); err != nil || back != id {
			t.Fatalf("%q stands in %q, read as %+v, %v", s, id.Dir(), back, err)
		}
	})
}
