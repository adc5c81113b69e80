package job

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
)

// Difference is one key that two jobs say something else of. A side that lacks the key is "".
type Difference struct {
	Field    string // "count", "spec.artifact", "spec.env.MODE"
	Old, New string // as JSON
}

// Diff tells what differs between two jobs, by field; their versions are no difference. Tables
// are compared key by key, lists as a whole.
func Diff(old, new Job) []Difference {
	old.Version, new.Version = 0, 0
	before, after := flatten(old), flatten(new)
	var all []Difference
	for field, text := range before {
		if after[field] != text {
			all = append(all, Difference{field, text, after[field]})
		}
	}
	for field, text := range after {
		if _, known := before[field]; !known {
			all = append(all, Difference{field, "", text})
		}
	}
	slices.SortFunc(all, func(a, b Difference) int { return strings.Compare(a.Field, b.Field) })
	return all
}

// flatten writes each key of a job, and of the tables in it, as JSON.
func flatten(j Job) map[string]string {
	out := map[string]string{}
	data, err := json.Marshal(j)
	if err != nil {
		return out // a job that was decoded can be written
	}
	into(out, "", data)
	return out
}

func into(out map[string]string, at string, data json.RawMessage) {
	var table map[string]json.RawMessage
	if !bytes.HasPrefix(data, []byte("{")) || json.Unmarshal(data, &table) != nil {
		out[at] = string(data)
		return
	}
	for key, value := range table {
		into(out, strings.TrimPrefix(at+"."+key, "."), value)
	}
}
