package cli

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/runtime/service"
)

// specFlags are the ways to say on the command line what a service should be.
type specFlags struct {
	file, format      string
	artifact, command string
	options, env      []string
}

func (f *specFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVarP(&f.file, "file", "f", "", "the `FILE` that holds the spec, .toml, .yaml, .yml or .json; - for standard input")
	fs.StringVar(&f.format, "format", "", "what standard input is written in, a `WORD`: toml, yaml or json (default what it looks like)")
	fs.StringVar(&f.artifact, "artifact", "", "the `ARTIFACT` to run from")
	fs.StringVar(&f.command, "command", "", "the `PATH` of the command, inside the artifact (default "+service.DefaultCommand+")")
	fs.StringArrayVar(&f.options, "option", nil, "an option of the command, `KEY=VALUE`; KEY or KEY=true is a bare --KEY; can be given again, also with the same KEY")
	fs.StringArrayVar(&f.env, "env", nil, "a variable of the command's environment, `KEY=VALUE`; can be given again")
}

// spec reads the spec that cmd was given, with args behind the dashes. It is nil when
// there is none. All that can be known to be wrong with it without a daemon is told.
func (f *specFlags) spec(cmd *cobra.Command, in io.Reader, args []string) (*service.Spec, error) {
	var inline []string
	for _, name := range []string{"artifact", "command", "option", "env"} {
		if cmd.Flags().Changed(name) {
			inline = append(inline, "--"+name)
		}
	}
	if len(args) > 0 {
		inline = append(inline, "arguments behind --")
	}
	if err := checkFormat("a spec", f.file, f.format, "-f -"); err != nil {
		return nil, err
	}
	switch {
	case f.file != "" && len(inline) > 0:
		return nil, usage("a spec is given twice, with -f and with %s: put all of it into the file", strings.Join(inline, ", "))
	case f.file != "":
		return f.fromFile(in)
	case len(inline) > 0:
		return f.fromFlags(args)
	}
	return nil, nil
}

func (f *specFlags) fromFile(in io.Reader) (*service.Spec, error) {
	w, err := readWritten("the spec", f.file, f.format, in)
	if err != nil {
		return nil, err
	}
	s, err := service.Decode(w.data, w.format, "")
	if err != nil {
		return nil, w.place(err)
	}
	return &s, nil
}

// fromFlags has the flags go the same way as a file, so that the same is right and wrong.
func (f *specFlags) fromFlags(args []string) (*service.Spec, error) {
	table := map[string]any{}
	if f.artifact != "" {
		table["artifact"] = f.artifact
	}
	if f.command != "" {
		table["command"] = f.command
	}
	if len(args) > 0 {
		table["args"] = args
	}
	if options := optionTable(f.options); len(options) > 0 {
		table["options"] = options
	}
	env := map[string]any{}
	for _, given := range f.env {
		key, value, ok := strings.Cut(given, "=")
		if !ok {
			return nil, usage("--env %s has no value, expected KEY=VALUE", key)
		}
		env[key] = value
	}
	if len(env) > 0 {
		table["env"] = env
	}
	data, err := json.Marshal(table)
	if err != nil {
		return nil, err
	}
	s, err := service.Decode(data, service.JSON, "")
	if err != nil {
		return nil, fmt.Errorf("the flags: %w", err)
	}
	return &s, nil
}

// optionTable reads options: a key alone, or with true, is a bare flag, with false none;
// one that is repeated is a list.
func optionTable(given []string) map[string]any {
	table := map[string]any{}
	for _, option := range given {
		key, text, hasValue := strings.Cut(option, "=")
		var value any = text
		switch {
		case !hasValue, text == "true":
			value = true
		case text == "false":
			value = false
		}
		switch before := table[key].(type) {
		case nil:
			table[key] = value
		case []any:
			table[key] = append(before, value)
		default:
			table[key] = []any{before, value}
		}
	}
	return table
}
