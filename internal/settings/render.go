package settings

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/quantity"
)

// Render writes s as TOML, each value with a comment that tells where it came from, as far
// as Load has told. Passwords of repositories are shown as ***.
func Render(s Settings) string {
	var b strings.Builder
	table := ""
	for _, k := range keys {
		short := header(&b, &table, k.name)
		line(&b, short, k.get(&s), s.from[k.name])
	}
	for i, r := range s.Repositories {
		fmt.Fprintf(&b, "\n[[repository]]%s\n", comment(s.from[document.Element("repository", i)]))
		r.URL = r.Redacted()
		for _, k := range repositoryKeys {
			line(&b, k.name, k.get(&r), "")
		}
	}
	return b.String()
}

// header begins the table that a key is in, unless that is *table still, and returns the
// key's name inside it.
func header(b *strings.Builder, table *string, name string) string {
	in, short, nested := strings.Cut(name, ".")
	if !nested {
		return name
	}
	if in != *table {
		*table = in
		fmt.Fprintf(b, "\n[%s]\n", in)
	}
	return short
}

func line(b *strings.Builder, name string, value any, from string) {
	fmt.Fprintf(b, "%s = %s%s\n", name, literal(value), comment(from))
}

func comment(s string) string {
	if s == "" {
		return ""
	}
	return "  # " + s
}

// literal writes a value of any kind as TOML.
func literal(v any) string {
	switch v := v.(type) {
	case []string:
		items := make([]string, len(v))
		for i, item := range v {
			items[i] = quote(item)
		}
		return "[" + strings.Join(items, ", ") + "]"
	case string:
		return quote(v)
	case quantity.Duration, quantity.Size:
		return quote(fmt.Sprint(v))
	}
	return fmt.Sprint(v)
}

// quote writes a basic string of TOML, which is one of JSON but for DEL.
func quote(s string) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// A string can always be encoded, and a strings.Builder takes everything.
	_ = e.Encode(s)
	return strings.ReplaceAll(strings.TrimSpace(b.String()), "\x7f", `\u007f`)
}
