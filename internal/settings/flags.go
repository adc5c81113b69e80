package settings

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"
)

// Flags registers a flag for every key, and --repository. What they hold is judged by Load,
// together with the rest, so that one mistake does not hide another.
func Flags(fs *pflag.FlagSet) {
	defaults := Default()
	for _, k := range keys {
		value := &flagText{text: textOf(k.get(&defaults)), word: k.word}
		fs.Var(value, k.flag(), k.usage)
	}
	for _, k := range laterKeys {
		fs.Var(&flagText{word: "string"}, k.flag(), k.usage)
		// The flag was registered a line above: hiding it cannot fail.
		_ = fs.MarkHidden(k.flag())
	}
	fs.Var(&repositoryFlag{}, "repository", "a repository to fetch artifacts from, in place of the file's; can be given again")
}

// flagText is a flag's text as it was given.
type flagText struct{ text, word string }

func (v *flagText) String() string     { return v.text }
func (v *flagText) Set(s string) error { v.text = s; return nil }
func (v *flagText) Type() string       { return v.word }

// repositoryFlag collects the texts of a repeated --repository.
type repositoryFlag struct{ texts []string }

func (v *repositoryFlag) String() string     { return strings.Join(v.texts, " ") }
func (v *repositoryFlag) Set(s string) error { v.texts = append(v.texts, s); return nil }
func (v *repositoryFlag) Type() string       { return "name=url[,layout=flat]" }

var flagOption = regexp.MustCompile(`,([a-z]+)=`)

// parseRepository reads "name=url[,layout=flat]". Only the options that it knows end the
// URL, which may hold commas itself; another word there is a mistake, and is told.
func parseRepository(s string) (Repository, error) {
	r := defaultRepository()
	name, rest, ok := strings.Cut(s, "=")
	if !ok {
		return r, fmt.Errorf("expected name=url, such as central=https://repo.example.com/releases")
	}
	r.Name, r.URL = name, rest
	at := flagOption.FindStringSubmatchIndex(rest)
	if at == nil {
		return r, nil
	}
	if option := rest[at[2]:at[3]]; option != "layout" {
		return r, fmt.Errorf("has no option %q, only layout can be given here; the file takes the rest", option)
	}
	r.URL, r.Layout = rest[:at[0]], rest[at[1]:]
	return r, nil
}

// textOf writes a value as the flag of its key takes it.
func textOf(v any) string {
	if words, ok := v.([]string); ok {
		return strings.Join(words, ",")
	}
	return fmt.Sprint(v)
}
