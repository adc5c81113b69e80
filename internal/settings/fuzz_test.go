package settings

import (
	"reflect"
	"strings"
	"testing"

	"github.com/cloudname/nodee/etc"
	"github.com/cloudname/nodee/internal/fault"
)

// FuzzFile reads any document: it is taken or has faults with a place each, and what was
// taken means the same after it has been shown and read again.
func FuzzFile(f *testing.F) {
	f.Add(etc.NodeeTOML)
	f.Add("cell = 'a'\nzookeeper = {session_timeout = '1m'}\nnode.labels = ['a=\"b\"', 'c=\\']")
	f.Add("[[repository]]\nname = 'a'\nurl = 'http://h'\n[repository.x]\n[[repository]]\n[[a.b]]\n[a.b.c]")
	f.Add("repository = [{name = 'a', url = 'http://h'}, 5]\n\"a.b\".'c\\u007f' = 2020-01-01")
	f.Fuzz(func(t *testing.T, document string) {
		got := decoded(t, document)
		if got == nil {
			return
		}
		again := decoded(t, Render(*got))
		if again == nil || !reflect.DeepEqual(got, again) {
			t.Fatalf("%q\nis read as %+v\nand again  %+v", document, got, again)
		}
	})
}

// decoded reads a document over the defaults; nil: it is faulty.
func decoded(t *testing.T, document string) *Settings {
	file := &file{path: "f"}
	file.decode([]byte(document))
	s := Default()
	s.Node.Name, s.Node.Advertise = "n", "n"
	for _, k := range keys {
		if v, ok := file.values[k.name]; ok {
			k.set(&s, v)
		}
	}
	s.Repositories = file.repositories
	for i := range s.Repositories {
		s.Repositories[i].URL = s.Repositories[i].Redacted()
	}
	for _, f := range append(file.faults, s.faults()...) {
		if f.Location == "" || f.Message == "" {
			t.Fatalf("%q: a fault without a place or words: %+v", document, f)
		}
	}
	for _, f := range file.faults {
		if !strings.Contains(f.Message, "(f:") || strings.Contains(f.Message, "(f:0)") {
			t.Fatalf("%q: a fault without a line: %+v", document, f)
		}
	}
	if fault.Fields("", append(file.faults, s.faults()...)) != nil {
		return nil
	}
	return &s
}
