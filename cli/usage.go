package cli

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// usage makes the error of a command that was not given what it takes.
func usage(format string, args ...any) error {
	return fault.New(fault.Invalid, "usage", format, args...)
}

// typos is how many letters may be wrong in a name that a suggestion is made for.
const typos = 2

// unknownCommand tells that cmd has no command of that name, and which one may be meant.
func unknownCommand(cmd *cobra.Command, name string) error {
	return usage("%q has no command %q%s; see %s --help", cmd.CommandPath(), name, didYouMean("", cmd.SuggestionsFor(name)), cmd.CommandPath())
}

// flagError tells what is wrong with the flags of cmd, and which flag may be meant.
func flagError(cmd *cobra.Command, err error) error {
	hint := ""
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() != "" {
		if _, notWhole := strconv.Atoi(unknown.GetSpecifiedShortnames()); notWhole == nil {
			if wrong := negative(cmd, "-"+unknown.GetSpecifiedShortnames()); wrong != nil {
				return usage("%w", wrong)
			}
		}
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok && unknown.GetSpecifiedShortnames() == "" {
		hint = didYouMean("--", nearestFlags(cmd, unknown.GetSpecifiedName()))
	}
	return usage("%w%s; see %s --help", err, hint, cmd.CommandPath())
}

// nearestFlags finds the flags that somebody who wrote name may have meant, by the rule
// that cobra has for commands.
func nearestFlags(cmd *cobra.Command, name string) []string {
	all := &cobra.Command{SuggestionsMinimumDistance: typos}
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		if !f.Hidden {
			all.AddCommand(&cobra.Command{Use: f.Name, Run: func(*cobra.Command, []string) {}})
		}
	})
	return all.SuggestionsFor(name)
}

func didYouMean(dashes string, names []string) string {
	if len(names) == 0 {
		return ""
	}
	return ", did you mean " + dashes + strings.Join(names, " or "+dashes) + "?"
}

// NoArgs is for commands that take flags only.
var NoArgs = takes()

// takes says which arguments a command takes: the words of its Use line, each checked by
// the grammar of that word.
func takes(words ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		given := args
		if at := cmd.ArgsLenAtDash(); at >= 0 && strings.Contains(cmd.Use, "-- ") {
			given = args[:at]
		}
		for i, word := range words {
			word, optional := strings.CutPrefix(word, "?")
			if i < len(given) {
				if err := grammars[word](given[i]); err != nil {
					return usage("%w", err)
				}
			} else if !optional {
				return usage("%s is missing: %s; see %s --help", word, cmd.UseLine(), cmd.CommandPath())
			}
		}
		if len(given) > len(words) {
			return usage("%q is more than %s takes: %s", given[len(words)], cmd.CommandPath(), cmd.UseLine())
		}
		return nil
	}
}

// grammars are the forms of the words that commands take.
var grammars = map[string]func(string) error{
	"COORDINATE": func(s string) error { _, err := service.ParseCoordinate(s); return err },
	"EXPR":       func(s string) error { _, err := service.ParseExpression(s); return err },
	"ARTIFACT":   func(s string) error { _, err := artifact.ParseRef(s); return err },
	"JOB":        func(s string) error { _, err := job.ParseName(s); return err },
	"NODE":       settings.CheckNodeName,
	"NAME":       checkName,
	"FILE":       func(string) error { return nil },
	"N":          func(s string) error { _, err := parseNumber(s, numberOfInstances); return err },
	"VERSION":    func(s string) error { _, err := parseNumber(s, numberOfVersion); return err },
	"SHELL": func(s string) error {
		if shells[s] == nil {
			return fmt.Errorf("%q is no shell that is known here, expected bash, zsh, fish or powershell", s)
		}
		return nil
	},
}

// numbers are what whole numbers can be given of, and from where to where.
type numbers struct {
	what        string
	least, most int
}

var (
	numberOfInstances = numbers{"number of instances", 0, job.MaxCount}
	numberOfVersion   = numbers{"version", 1, math.MaxInt32}
)

// parseNumber reads a whole number.
func parseNumber(s string, of numbers) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < of.least || n > of.most || s != strconv.Itoa(n) {
		return 0, fmt.Errorf("%q is no %s, expected a whole number from %d to %d", s, of.what, of.least, of.most)
	}
	return n, nil
}

// negative tells what is wrong with a number below 0 that a command was given, and that looks like
// a flag; nil: it takes none.
func negative(cmd *cobra.Command, number string) error {
	words := strings.Fields(cmd.Use)
	if word := words[len(words)-1]; word == "N" || word == "VERSION" {
		return grammars[word](number)
	}
	return nil
}
