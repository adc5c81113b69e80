// Package document takes apart what people write in JSON, TOML or YAML, such as specs and jobs:
// into tables that are the same whatever they were written in, and from there key by key, so
// that every fault is told at once, each with its place.
//
// It knows no key of anybody, starts no goroutine and reads no file; and its errors never
// repeat what they were given, which may hold secrets, but for short plain values that a
// reader chooses to show.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"path/filepath"
	"strings"
	"time"

	"github.com/pelletier/go-toml/v2"
	"go.yaml.in/yaml/v3"

	"github.com/cloudname/nodee/internal/fault"
)

// Format is a way to write a document. The keys are the same in all of them.
type Format string

// The formats of a document.
const (
	JSON Format = "json"
	TOML Format = "toml"
	YAML Format = "yaml"
)

// FormatOf tells the format of a file by its name.
func FormatOf(name string) (Format, error) {
	switch ext := strings.ToLower(filepath.Ext(name)); ext {
	case ".json":
		return JSON, nil
	case ".toml":
		return TOML, nil
	case ".yaml", ".yml":
		return YAML, nil
	default:
		return "", fmt.Errorf("cannot tell the format of %s: its name must end in .toml, .yaml, .yml or .json", name)
	}
}

// Parse reads data into a tree of tables; what says what it is, such as "the spec". The error
// is fault.Malformed.
func Parse(data []byte, format Format, what string) (map[string]any, error) {
	table, err := parse(data, format)
	if err != nil {
		return nil, fault.New(fault.Malformed, "malformed-"+string(format),
			"%s cannot be read as %s: %w", what, strings.ToUpper(string(format)), err)
	}
	return table, nil
}

// parse reads data into a tree of tables. Its errors never repeat the data, which may hold secrets.
func parse(data []byte, format Format) (map[string]any, error) {
	switch format {
	case TOML:
		var table map[string]any
		err := toml.Unmarshal(data, &table)
		if e, ok := errors.AsType[*toml.DecodeError](err); ok {
			line, column := e.Position()
			return nil, fmt.Errorf("line %d, column %d: %s", line, column, strings.TrimPrefix(e.Error(), "toml: "))
		}
		return normalTable(table), err
	case YAML:
		var v any
		if err := yaml.Unmarshal(data, &v); err != nil {
			return nil, errors.New(strings.TrimPrefix(err.Error(), "yaml: "))
		}
		return asTable(normal(v))
	default:
		d := json.NewDecoder(bytes.NewReader(data))
		d.UseNumber()
		var v any
		if err := d.Decode(&v); err != nil {
			return nil, jsonError(data, err)
		}
		if _, err := d.Token(); err != io.EOF {
			return nil, errors.New("there is more behind its end")
		}
		if err := keysOnce(data); err != nil {
			return nil, err
		}
		return asTable(v)
	}
}

func asTable(v any) (map[string]any, error) {
	if table, ok := v.(map[string]any); ok {
		return table, nil
	}
	return nil, fmt.Errorf("expected a table of keys and values, not %s", KindOf(v))
}

// jsonError says where JSON is broken, by line and column, as people count.
func jsonError(data []byte, err error) error {
	offset := int64(len(data))
	what := "it ends too early"
	if e, ok := errors.AsType[*json.SyntaxError](err); ok && !errors.Is(err, io.ErrUnexpectedEOF) {
		offset, what = e.Offset, e.Error()
	}
	before := data[:min(offset, int64(len(data)))]
	line := bytes.Count(before, []byte("\n")) + 1
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Errorf("line %d, column %d: %s", line, column, what)
}

func normalTable(t map[string]any) map[string]any {
	out := make(map[string]any, len(t))
	for k, v := range t {
		out[k] = normal(v)
	}
	return out
}

// normal turns what TOML and YAML decode to into what JSON does.
func normal(v any) any {
	switch v := v.(type) {
	case map[string]any:
		return normalTable(v)
	case map[any]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			out[fmt.Sprint(k)] = normal(e)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, e := range v {
			out[i] = normal(e)
		}
		return out
	case int, int64, uint64:
		return json.Number(fmt.Sprint(v))
	case float64:
		if math.IsInf(v, 0) || math.IsNaN(v) {
			return v
		}
		b, _ := json.Marshal(v)
		return json.Number(b)
	case time.Time:
		return v.Format(time.RFC3339Nano)
	case fmt.Stringer: // TOML's local dates and times
		return v.String()
	}
	return v
}

// Guess tells the format of data that has no name: JSON begins with a brace, and what is TOML
// is no table in YAML. The error says that it is none of them.
func Guess(data []byte) (Format, error) {
	if bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return JSON, nil
	}
	for _, format := range []Format{TOML, YAML} {
		if _, err := parse(data, format); err == nil {
			return format, nil
		}
	}
	return "", errors.New("it can be read neither as TOML nor as YAML nor as JSON")
}
