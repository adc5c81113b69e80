package cli

import (
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

// maxDocument bounds what is read of a spec or a job: no daemon takes a larger one.
const maxDocument = 1 << 20

// written is what a person has written: a spec or a job.
type written struct {
	name   string // of the file, for people
	format document.Format
	data   []byte
}

// readWritten reads file, or in where that is "-". format is what standard input is written in; ""
// leaves that to what it looks like. what is what the file should hold: "the spec".
func readWritten(what, file, format string, in io.Reader) (w written, err error) {
	w.name, w.format = file, document.Format(format)
	if file == "-" {
		w.name = "standard input"
	} else if w.format, err = document.FormatOf(file); err != nil {
		return w, usage("%w", err)
	}
	if file != "-" {
		opened, err := os.Open(file)
		if err != nil {
			return w, usage("cannot read %s: %w", what, err)
		}
		defer opened.Close()
		in = opened
	}
	if w.data, err = io.ReadAll(io.LimitReader(in, maxDocument+1)); err != nil {
		return w, usage("cannot read %s: %w", what, err)
	}
	if len(w.data) > maxDocument {
		return w, usage("cannot read %s: %s is larger than 1 MiB", what, w.name)
	}
	if w.format == "" {
		if w.format, err = document.Guess(w.data); err != nil {
			return w, usage("cannot read %s from %s: %w; say what it is written in, with --format toml, yaml or json, to hear what is wrong with it", what, w.name, err)
		}
	}
	return w, nil
}

// checkFormat says what is wrong with the flag --format beside a file.
func checkFormat(what, file, format, stdin string) error {
	switch document.Format(format) {
	case "":
		return nil
	case document.TOML, document.YAML, document.JSON:
		if file == "-" {
			return nil
		}
		return usage("--format is for %s from standard input: give %s too", what, stdin)
	}
	return usage("--format is %q, expected toml, yaml or json", format)
}

// place adds to each fault of err where it stands in what was written, and puts them in that order.
func (w written) place(err error) error {
	fields := slices.Clone(fault.FieldsOf(err))
	if len(fields) == 0 {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	lines := document.LinesOf(w.data, w.format, document.Join)
	slices.SortStableFunc(fields, func(a, b fault.Field) int { return lines.Of(a.Location) - lines.Of(b.Location) })
	for i, f := range fields {
		fields[i] = fault.Field{Location: f.Location, Message: f.Message + given(f)}
		if line := lines.Of(f.Location); line > 0 {
			fields[i].Message += fmt.Sprintf(" (%s:%d)", w.name, line)
		}
	}
	return fault.Fields(w.name+": "+fault.Headline(err), fields)
}
