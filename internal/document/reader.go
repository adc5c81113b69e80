package document

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

// Reader takes a table apart key by key and gathers every fault on the way. A key that is
// absent keeps its default; one that nobody asked for is a fault too. A library's decoder
// into structs stops at the first fault, and cannot tell an explicit zero from an absent key.
type Reader struct {
	at     string // where the table stands: "" or "restart."
	table  map[string]any
	asked  map[string]bool
	faults *[]fault.Field // shared with the readers of the tables below
}

// NewReader returns a reader of a whole document. at stands before the place of every fault: "body.".
func NewReader(at string, table map[string]any) *Reader {
	return &Reader{at: at, table: table, asked: map[string]bool{}, faults: new([]fault.Field)}
}

// Below returns a reader of a table that was found at key, which gathers its faults with r's.
func (r *Reader) Below(key string, table map[string]any) *Reader {
	return &Reader{at: r.at + key + ".", table: table, asked: map[string]bool{}, faults: r.faults}
}

// Faults are those of the whole document so far.
func (r *Reader) Faults() []fault.Field { return *r.faults }

// Has tells whether a key was written, well or not; null counts as absent.
func (r *Reader) Has(key string) bool { return r.table[key] != nil }

// Peek returns what was written at key, and asks for nothing.
func (r *Reader) Peek(key string) any { return r.table[key] }

// Fault notes one. Only a short plain value is shown again: a list or table may be long, or hold secrets.
func (r *Reader) Fault(key string, value any, format string, args ...any) {
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

// Take returns the value of a key; null counts as absent.
func (r *Reader) Take(key string) (any, bool) {
	r.asked[key] = true
	v, ok := r.table[key]
	return v, ok && v != nil
}

// Finish tells of every key that no one asked for, with the nearest one that exists.
func (r *Reader) Finish(later ...string) {
	known := slices.Sorted(maps.Keys(r.asked))
	for _, key := range slices.Sorted(maps.Keys(r.table)) {
		switch {
		case r.asked[key]:
		case slices.Contains(later, key):
			r.Fault(key, nil, "not supported yet")
		default:
			r.Fault(key, nil, "unknown key; known are %s", strings.Join(known, ", "))
		}
	}
}

// Text takes a string, and tells whether there was a good one.
func (r *Reader) Text(key string, into *string) bool {
	v, ok := r.Take(key)
	if !ok {
		return false
	}
	s, ok := v.(string)
	switch {
	case !ok:
		r.Fault(key, v, "must be a string, not %s", KindOf(v))
	case strings.ContainsRune(s, 0):
		r.Fault(key, nil, "must not hold a NUL character")
		ok = false
	default:
		*into = s
	}
	return ok
}

// Truth takes true or false.
func (r *Reader) Truth(key string, into *bool) {
	v, ok := r.Take(key)
	if !ok {
		return
	}
	b, ok := v.(bool)
	if !ok {
		r.Fault(key, v, "must be true or false, not %s", KindOf(v))
		return
	}
	*into = b
}

// OneOf takes one of a few words.
func (r *Reader) OneOf(key string, into *string, choices ...string) {
	s := *into
	if r.Text(key, &s) {
		if !slices.Contains(choices, s) {
			r.Fault(key, s, "must be one of %s", strings.Join(choices, ", "))
			return
		}
		*into = s
	}
}

// Duration takes a text with its unit.
func (r *Reader) Duration(key string, into *quantity.Duration) {
	v, ok := r.Take(key)
	if !ok {
		return
	}
	s, ok := v.(string)
	if !ok {
		r.Fault(key, v, `must be a duration with its unit, such as "10s", not %s`, KindOf(v))
		return
	}
	d, err := quantity.ParseDuration(s)
	if err != nil {
		r.Fault(key, s, "%v", err)
		return
	}
	*into = d
}

// Size takes a size: a text with its unit, or a number of bytes.
func (r *Reader) Size(key string, into *quantity.Size) bool {
	v, ok := r.Take(key)
	if !ok {
		return false
	}
	if n, whole := AsWhole(v, 0, math.MaxInt); whole {
		*into = quantity.Size(n)
		return true
	}
	s, ok := v.(string)
	if !ok {
		r.Fault(key, v, `must be a size such as "64MiB", or a number of bytes, not %s`, KindOf(v))
		return false
	}
	size, err := quantity.ParseSize(s)
	if err != nil {
		r.Fault(key, s, "%v", err)
		return false
	}
	*into = size
	return true
}

// Number takes a number within bounds, both included.
func (r *Reader) Number(key string, into *float64, low, high float64) {
	v, ok := r.Take(key)
	if !ok {
		return
	}
	f, ok := AsFloat(v)
	if !ok || f < low || f > high {
		r.Fault(key, v, "must be a number %s", between(low, high))
		return
	}
	*into = f
}

// Whole takes a whole number within bounds, both included.
func (r *Reader) Whole(key string, into *int, low, high int) {
	v, ok := r.Take(key)
	if !ok {
		return
	}
	if n, ok := AsWhole(v, low, high); ok {
		*into = n
		return
	}
	r.Fault(key, v, "must be a whole number %s", between(float64(low), float64(high)))
}

// Wholes takes a list of whole numbers, each within bounds.
func (r *Reader) Wholes(key string, into *[]int, low, high int) {
	list, ok := r.List(key)
	if !ok {
		return
	}
	out := []int{}
	for i, v := range list {
		n, ok := AsWhole(v, low, high)
		if !ok {
			r.Fault(fmt.Sprintf("%s[%d]", key, i), v, "must be a whole number %s", between(float64(low), float64(high)))
			continue
		}
		out = append(out, n)
	}
	*into = out
}

// Texts takes a list of strings, and tells whether there was a list.
func (r *Reader) Texts(key string, into *[]string) bool {
	list, ok := r.List(key)
	if !ok {
		return false
	}
	out := []string{}
	for i, v := range list {
		s, ok := v.(string)
		switch at := fmt.Sprintf("%s[%d]", key, i); {
		case !ok:
			r.Fault(at, v, "must be a string, not %s", KindOf(v))
		case strings.ContainsRune(s, 0):
			r.Fault(at, nil, "must not hold a NUL character")
		default:
			out = append(out, s)
		}
	}
	*into = out
	return true
}

// List takes a list of anything.
func (r *Reader) List(key string) ([]any, bool) {
	v, ok := r.Take(key)
	if !ok {
		return nil, false
	}
	list, ok := v.([]any)
	if !ok {
		r.Fault(key, v, "must be a list, not %s", KindOf(v))
	}
	return list, ok
}

// Choice takes a key that is one of a few words, and must be given.
func (r *Reader) Choice(key string, choices ...string) string {
	var s string
	if !r.Has(key) {
		r.Fault(key, nil, "is needed: one of %s", strings.Join(choices, ", "))
		r.asked[key] = true
		return ""
	}
	r.OneOf(key, &s, choices...)
	return s
}

// Tables returns a reader for each of a list of tables.
func (r *Reader) Tables(key string) (out []*Reader) {
	list, _ := r.List(key)
	for i, v := range list {
		at := fmt.Sprintf("%s[%d]", key, i)
		if table, ok := v.(map[string]any); ok {
			out = append(out, r.Below(at, table))
			continue
		}
		r.Fault(at, v, "must be a table of keys and values, not %s", KindOf(v))
	}
	return out
}

// Sub returns a reader of the table under key.
func (r *Reader) Sub(key string) (*Reader, bool) {
	v, ok := r.Take(key)
	if !ok {
		return nil, false
	}
	table, ok := v.(map[string]any)
	if !ok {
		r.Fault(key, v, "must be a table of keys and values, not %s", KindOf(v))
		return nil, false
	}
	return r.Below(key, table), true
}

// Each visits the entries of a table whose keys are the user's own, in order.
func (r *Reader) Each(visit func(key string, v any)) {
	for _, key := range slices.Sorted(maps.Keys(r.table)) {
		r.asked[key] = true
		visit(key, r.table[key])
	}
}

func between(low, high float64) string {
	if high >= math.MaxInt32 {
		return "from " + plain(low) + " up"
	}
	return "from " + plain(low) + " to " + plain(high)
}

// plain writes a number without an exponent, as people do.
func plain(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// AsFloat returns a decoded value as a number, where it is one.
func AsFloat(v any) (float64, bool) {
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

// AsWhole returns a decoded value as a whole number within bounds, where it is one.
func AsWhole(v any, low, high int) (int, bool) {
	f, ok := AsFloat(v)
	if !ok || f != math.Trunc(f) || f < float64(low) || f > float64(high) {
		return 0, false
	}
	return int(f), true
}

// KindOf names the kind of a decoded value in the words of its writer.
func KindOf(v any) string {
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
