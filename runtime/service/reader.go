package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

// reader takes a table apart key by key and gathers every fault on the way. A key that is
// absent keeps its default; one that nobody asked for is a fault too. A library's decoder
// into structs stops at the first fault, and cannot tell an explicit zero from an absent key.
type reader struct {
	at     string // where the table stands: "" or "restart."
	table  map[string]any
	asked  map[string]bool
	faults *[]fault.Field
}

func newReader(at string, table map[string]any, faults *[]fault.Field) *reader {
	return &reader{at: at, table: table, asked: map[string]bool{}, faults: faults}
}

// fault notes one. Only a short plain value is shown again: a list or table may be long, or hold secrets.
func (r *reader) fault(key string, value any, format string, args ...any) {
	switch v := value.(type) {
	case []any, map[string]any:
		value = nil
	case string:
		if len(v) > 200 {
			value = nil
		}
	}
	*r.faults = append(*r.faults, fault.Field{Location: r.at + key, Message: fmt.Sprintf(format, args...), Value: value})
}

// take returns the value of a key; null counts as absent.
func (r *reader) take(key string) (any, bool) {
	r.asked[key] = true
	v, ok := r.table[key]
	return v, ok && v != nil
}

// finish tells of every key that no one asked for, with the nearest one that exists.
func (r *reader) finish(later ...string) {
	known := slices.Sorted(maps.Keys(r.asked))
	for _, key := range slices.Sorted(maps.Keys(r.table)) {
		switch {
		case r.asked[key]:
		case slices.Contains(later, key):
			r.fault(key, nil, "not supported yet")
		default:
			r.fault(key, nil, "unknown key; known are %s", strings.Join(known, ", "))
		}
	}
}

func (r *reader) text(key string, into *string) bool {
	v, ok := r.take(key)
	if !ok {
		return false
	}
	s, ok := v.(string)
	switch {
	case !ok:
		r.fault(key, v, "must be a string, not %s", kindOf(v))
	case strings.ContainsRune(s, 0):
		r.fault(key, nil, "must not hold a NUL character")
		ok = false
	default:
		*into = s
	}
	return ok
}

func (r *reader) truth(key string, into *bool) {
	v, ok := r.take(key)
	if !ok {
		return
	}
	b, ok := v.(bool)
	if !ok {
		r.fault(key, v, "must be true or false, not %s", kindOf(v))
		return
	}
	*into = b
}

func (r *reader) oneOf(key string, into *string, choices ...string) {
	s := *into
	if r.text(key, &s) {
		if !slices.Contains(choices, s) {
			r.fault(key, s, "must be one of %s", strings.Join(choices, ", "))
			return
		}
		*into = s
	}
}

func (r *reader) duration(key string, into *quantity.Duration) {
	v, ok := r.take(key)
	if !ok {
		return
	}
	s, ok := v.(string)
	if !ok {
		r.fault(key, v, `must be a duration with its unit, such as "10s", not %s`, kindOf(v))
		return
	}
	d, err := quantity.ParseDuration(s)
	if err != nil {
		r.fault(key, s, "%v", err)
		return
	}
	*into = d
}

// size takes a size: a text with its unit, or a number of bytes.
func (r *reader) size(key string, into *quantity.Size) bool {
	v, ok := r.take(key)
	if !ok {
		return false
	}
	if n, whole := asWhole(v, 0, math.MaxInt); whole {
		*into = quantity.Size(n)
		return true
	}
	s, ok := v.(string)
	if !ok {
		r.fault(key, v, `must be a size such as "64MiB", or a number of bytes, not %s`, kindOf(v))
		return false
	}
	size, err := quantity.ParseSize(s)
	if err != nil {
		r.fault(key, s, "%v", err)
		return false
	}
	*into = size
	return true
}

func (r *reader) number(key string, into *float64, low, high float64) {
	v, ok := r.take(key)
	if !ok {
		return
	}
	f, ok := asFloat(v)
	if !ok || f < low || f > high {
		r.fault(key, v, "must be a number %s", between(low, high))
		return
	}
	*into = f
}

func (r *reader) whole(key string, into *int, low, high int) {
	v, ok := r.take(key)
	if !ok {
		return
	}
	if n, ok := asWhole(v, low, high); ok {
		*into = n
		return
	}
	r.fault(key, v, "must be a whole number %s", between(float64(low), float64(high)))
}

func (r *reader) wholes(key string, into *[]int, low, high int) {
	list, ok := r.list(key)
	if !ok {
		return
	}
	out := []int{}
	for i, v := range list {
		n, ok := asWhole(v, low, high)
		if !ok {
			r.fault(fmt.Sprintf("%s[%d]", key, i), v, "must be a whole number %s", between(float64(low), float64(high)))
			continue
		}
		out = append(out, n)
	}
	*into = out
}

func (r *reader) texts(key string, into *[]string) bool {
	list, ok := r.list(key)
	if !ok {
		return false
	}
	out := []string{}
	for i, v := range list {
		s, ok := v.(string)
		switch at := fmt.Sprintf("%s[%d]", key, i); {
		case !ok:
			r.fault(at, v, "must be a string, not %s", kindOf(v))
		case strings.ContainsRune(s, 0):
			r.fault(at, nil, "must not hold a NUL character")
		default:
			out = append(out, s)
		}
	}
	*into = out
	return true
}

func (r *reader) list(key string) ([]any, bool) {
	v, ok := r.take(key)
	if !ok {
		return nil, false
	}
	list, ok := v.([]any)
	if !ok {
		r.fault(key, v, "must be a list, not %s", kindOf(v))
	}
	return list, ok
}

// choice takes a key that is one of a few words, and must be given.
func (r *reader) choice(key string, choices ...string) string {
	var s string
	if r.table[key] == nil {
		r.fault(key, nil, "is needed: one of %s", strings.Join(choices, ", "))
		r.asked[key] = true
		return ""
	}
	r.oneOf(key, &s, choices...)
	return s
}

// tables returns a reader for each of a list of tables.
func (r *reader) tables(key string) (out []*reader) {
	list, _ := r.list(key)
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		if table, ok := v.(map[string]any); ok {
			out = append(out, newReader(r.at+at+".", table, r.faults))
			continue
		}
		r.fault(at, v, "must be a table of keys and values, not %s", kindOf(v))
	}
	return out
}

// sub returns a reader of the table under key.
func (r *reader) sub(key string) (*reader, bool) {
	v, ok := r.take(key)
	if !ok {
		return nil, false
	}
	table, ok := v.(map[string]any)
	if !ok {
		r.fault(key, v, "must be a table of keys and values, not %s", kindOf(v))
		return nil, false
	}
	return newReader(r.at+key+".", table, r.faults), true
}

// each visits the entries of a table whose keys are the user's own, in order.
func (r *reader) each(visit func(key string, v any)) {
	for _, key := range slices.Sorted(maps.Keys(r.table)) {
		r.asked[key] = true
		visit(key, r.table[key])
	}
}

func between(low, high float64) string {
	if high >= math.MaxInt32 {
		return fmt.Sprintf("from %v up", low)
	}
	return fmt.Sprintf("from %v to %v", low, high)
}

func asFloat(v any) (float64, bool) {
	switch n := v.(type) {
	case json.Number:
		f, err := n.Float64()
		return f, err == nil
	case int64:
		return float64(n), true
	case int:
		return float64(n), true
	case float64:
		return n, !math.IsNaN(n)
	}
	return 0, false
}

func asWhole(v any, low, high int) (int, bool) {
	f, ok := asFloat(v)
	if !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, false
	}
	return int(f), true
}

// kindOf names the kind of a decoded value in the words of its writer.
func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "nothing"
	case bool:
		return "a boolean"
	case string:
		return "a string"
	case json.Number, int, int64, float64:
		return "a number"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a value of another kind"
}
