package edge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/danielgtaylor/huma/v2"
)

// huma keeps the maker of its errors in package variables, so it is set for the process,
// once, before any API is made.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return humaProblem("the request cannot be answered", status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		url := ctx.URL()
		return humaProblem("cannot "+ctx.Method()+" "+url.Path, status, msg, errs)
	}
}

// humaSlugs names what huma itself refuses, by its status.
var humaSlugs = map[int]string{
	http.StatusBadRequest:          "malformed-json",
	http.StatusUnprocessableEntity: "invalid",
}

// humaProblem makes a problem of what huma found wrong in a request.
func humaProblem(what string, status int, msg string, errs []error) *Problem {
	slug, ok := humaSlugs[status]
	if !ok {
		slug = "internal"
	}
	fields := make([]fault.Field, 0, len(errs))
	for _, err := range errs {
		fields = append(fields, fieldOf(err))
	}
	p := refusal(status, slug, "%s: %s", what, spell(msg, fields))
	p.Errors = fields
	return p
}

// spell names the faults themselves; huma's own summary says only that there are some.
func spell(summary string, fields []fault.Field) string {
	if len(fields) == 0 {
		return summary
	}
	said := make([]string, len(fields))
	for i, f := range fields {
		said[i] = strings.TrimPrefix(f.Location+": "+f.Message, ": ")
	}
	return strings.Join(said, "; ")
}

// fieldOf takes over one fault. huma gives as its value whatever stood there, a malformed
// body whole, or the object that lacks a key; that may hold secrets. What is shown is one
// short value that a person gave, and never one from an environment.
func fieldOf(err error) fault.Field {
	d, ok := errors.AsType[*huma.ErrorDetail](err)
	if !ok {
		return fault.Field{Message: err.Error()}
	}
	f := fault.Field{Location: d.Location, Message: d.Message}
	if d.Location != "body" && !strings.Contains(d.Location, ".env") && short(d.Value) {
		f.Value = d.Value
	}
	return f
}

func short(value any) bool {
	switch v := value.(type) {
	case string:
		return v != "" && len(v) <= 100
	case bool, float64, int64, uint64:
		return true
	}
	return false
}

// jsonFormat is huma's JSON, whose complaints say where.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		e := json.NewEncoder(w)
		e.SetEscapeHTML(false)
		return e.Encode(v)
	},
	Unmarshal: func(data []byte, v any) error {
		err := json.Unmarshal(data, v)
		if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
			line, column := position(data, syntax.Offset)
			return fmt.Errorf("not JSON: line %d, column %d: %w", line, column, err)
		}
		return err
	},
}

// position returns the line and column, from 1, of the byte that offset counts up to.
func position(data []byte, offset int64) (line, column int) {
	before := string(data[:max(0, min(int(offset)-1, len(data)))])
	return strings.Count(before, "\n") + 1, len(before) - strings.LastIndex(before, "\n")
}
