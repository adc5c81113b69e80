package service

import (
	"bytes"
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Action says what a changed spec takes.
type Action string

// What a changed spec takes, from the least.
const (
	ActionNone    Action = "none"    // the specs say the same
	ActionLive    Action = "live"    // what runs goes on, by the new spec
	ActionRestart Action = "restart" // what runs is stopped and started again
)

// actions says what a change of each key takes: that of the key itself, else that of the table
// it stands in. A process has its program, arguments, environment, account, ports, limits and
// access from its start; how it is treated can be changed while it runs.
var actions = map[string]Action{
	"artifact": ActionRestart,
	"sha256":   ActionRestart, // what runs was not held against it
	"command":  ActionRestart,
	"args":     ActionRestart,
	"options":  ActionRestart,
	"env":      ActionRestart,
	"user":     ActionRestart,
	"group":    ActionRestart,
	"ports":    ActionRestart,
	"files":    ActionRestart, // they are put before a start
	"limits":   ActionRestart,
	"access":   ActionRestart,
	"restart":  ActionLive,
	"value":    ActionLive,

	"memory_expected": ActionLive,
	"memory_peak":     ActionLive,

	"stop":  ActionLive,
	"drain": ActionLive,
	"logs":  ActionLive,

	"checks":        ActionLive,
	"ready_timeout": ActionLive,
	"notify.ready":  ActionLive,
	"depends_on":    ActionLive,    // it is asked of the next start
	"notify":        ActionRestart, // the process was told of its watchdog when it was started
}

// Diff tells what it takes to make a service of the old spec one of the new, and which fields
// differ, sorted: "restart.max", "env.MODE", "checks[ready].interval". Parts of a list that
// have a name are told apart by it; other lists are one field.
func Diff(old, new Spec) (Action, []string) {
	fields := []string{}
	differ(written(old), written(new), "", &fields)
	slices.Sort(fields)
	action := ActionNone
	for _, f := range fields {
		switch actionOf(f) {
		case ActionRestart:
			return ActionRestart, fields
		case ActionLive:
			action = ActionLive
		}
	}
	return action, fields
}

// actionOf looks up what a change of a field takes. What nobody has thought of is restarted:
// that does more than it might have to, and never less.
func actionOf(field string) Action {
	key, _, _ := strings.Cut(field, "[")
	for {
		if a, ok := actions[key]; ok {
			return a
		}
		i := strings.LastIndexByte(key, '.')
		if i < 0 {
			return ActionRestart
		}
		key = key[:i]
	}
}

// written is a spec in the form in which it is written, numbers as they were.
func written(s Spec) any {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err) // a spec is made of what can be written
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// differ adds the paths below at where old and new are not the same.
func differ(old, new any, at string, fields *[]string) {
	if o, ok := old.([]any); ok {
		old = byName(o, old)
	}
	if n, ok := new.([]any); ok {
		new = byName(n, new)
	}
	o, isTable := old.(map[string]any)
	n, isToo := new.(map[string]any)
	switch {
	case isTable && isToo:
		for key := range both(o, n) {
			differ(o[key], n[key], join(at, key), fields)
		}
	case !same(old, new):
		*fields = append(*fields, at)
	}
}

// both are the keys of two tables.
func both(o, n map[string]any) map[string]any {
	all := maps.Clone(o)
	maps.Copy(all, n)
	return all
}

// byName makes a table, by "[name]", of a list whose elements all have a name, or a path, of
// their own; of others it makes nothing, and returns what it was given for that.
func byName(list []any, otherwise any) any {
	table := map[string]any{}
	for _, e := range list {
		part, _ := e.(map[string]any)
		name, _ := cmp.Or(part["name"], part["path"]).(string)
		if name == "" {
			return otherwise
		}
		table["["+name+"]"] = e
	}
	if len(table) != len(list) {
		return otherwise
	}
	return table
}

func join(at, key string) string {
	if at == "" || strings.HasPrefix(key, "[") {
		return at + key
	}
	return at + "." + key
}

func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
