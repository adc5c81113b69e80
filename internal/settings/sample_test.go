package settings

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/cloudname/nodee/etc"
)

var update = flag.Bool("update", false, "write etc/nodee.toml anew")

// sample is what etc/nodee.toml should hold: every key with its default and its meaning.
func sample() string {
	var b strings.Builder
	b.WriteString(`# Nodee's configuration, with every key at its default.
#
# Nodee reads /etc/nodee/nodee.toml, or the file that --config or NODEE_CONFIG names.
# Each key is also a flag (--zookeeper-session-timeout) and a variable in the environment
# (NODEE_ZOOKEEPER_SESSION_TIMEOUT), lists with commas there. A flag beats the environment,
# the environment beats this file. "nodee config" shows what holds, and where it came from.

`)
	s := Default()
	s.Prefix = defaultPrefix(0, os.Getenv)
	table := ""
	for _, k := range keys {
		short := header(&b, &table, k.name)
		b.WriteString(wrapped("# ", k.usage))
		line(&b, short, k.get(&s), "")
	}
	b.WriteString("\n# Where artifacts come from, asked in this order: one such table for each repository.\n# [[repository]]\n")
	r := defaultRepository()
	r.Name, r.URL = "central", "https://repo.example.com/releases"
	for _, k := range repositoryKeys {
		b.WriteString(wrapped("#   # ", k.usage))
		fmt.Fprintf(&b, "#   %s = %s\n", k.name, literal(k.get(&r)))
	}
	return b.String()
}

// wrapped breaks text into comment lines of a readable width.
func wrapped(begin, text string) string {
	var b strings.Builder
	width := 0
	for word := range strings.FieldsSeq(text) {
		switch {
		case width == 0:
			b.WriteString(begin)
		case width+len(word) > 90:
			b.WriteString("\n" + begin)
			width = 0
		default:
			b.WriteString(" ")
		}
		b.WriteString(word)
		width += len(word) + 1
	}
	return b.String() + "\n"
}

func TestSampleShowsEveryKeyWithItsDefault(t *testing.T) {
	want := sample()
	if *update {
		if err := os.WriteFile("../../etc/nodee.toml", []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if etc.NodeeTOML != want {
		t.Errorf("etc/nodee.toml is not what the code says: run go test ./internal/settings -run Sample -update, and read the difference.\nwant:\n%s\ngot:\n%s", want, etc.NodeeTOML)
	}
}

func TestSampleIsTheDefaultConfiguration(t *testing.T) {
	s, err := Load(nil, write(t, etc.NodeeTOML))
	if err != nil {
		t.Fatal(err)
	}
	want, err := Load(nil, write(t, `prefix = "/var/lib/nodee"`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, s, want)
}

// TestSampleRepositoryWorks takes the comment signs from the repository's part.
func TestSampleRepositoryWorks(t *testing.T) {
	before, commented, ok := strings.Cut(etc.NodeeTOML, "# [[repository]]\n")
	if !ok {
		t.Fatal("etc/nodee.toml shows no [[repository]]")
	}
	s, err := Load(nil, write(t, before+"[[repository]]\n"+strings.ReplaceAll(commented, "#   ", "")))
	if err != nil {
		t.Fatal(err)
	}
	want := defaultRepository()
	want.Name, want.URL = "central", "https://repo.example.com/releases"
	same(t, s.Repositories, []Repository{want})
}
