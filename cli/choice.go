package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// Choice registers a flag that takes one of a few words, and returns where the word will
// stand. def is what it is when nobody chooses.
func Choice(fs *pflag.FlagSet, name, shorthand, usage, def string, others ...string) *string {
	c := &choice{word: def, of: append([]string{def}, others...)}
	fs.VarP(c, name, shorthand, usage+": "+c.all())
	return &c.word
}

// choice is the value of a flag that takes one of a few words.
type choice struct {
	word string
	of   []string
}

func (c *choice) String() string { return c.word }
func (c *choice) Type() string   { return "WORD" }

func (c *choice) Set(s string) error {
	if !slices.Contains(c.of, s) {
		return fmt.Errorf("expected %s", c.all())
	}
	c.word = s
	return nil
}

func (c *choice) all() string {
	last := len(c.of) - 1
	return strings.Join(c.of[:last], ", ") + " or " + c.of[last]
}
