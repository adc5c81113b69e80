package cli

import (
	"io"
	"reflect"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// Each command that can be run says what it does, at length and by example.
func TestEveryCommandIsExplained(t *testing.T) {
	a := &app{Program: Program{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard}}
	seen := 0
	var walk func(*cobra.Command)
	walk = func(cmd *cobra.Command) {
		for _, sub := range cmd.Commands() {
			walk(sub)
		}
		if cmd.Name() == "help" || cmd.DisableFlagParsing {
			return
		}
		seen++
		for what, text := range map[string]string{"Short": cmd.Short, "Long": cmd.Long, "Example": cmd.Example} {
			if text == "" {
				t.Errorf("%q has no %s", cmd.CommandPath(), what)
			}
		}
		for line := range strings.Lines(cmd.Long) {
			if len(line) > 84 {
				t.Errorf("%q has a line of %d characters: %s", cmd.CommandPath(), len(line), line)
			}
		}
		if cmd.Example != "" && !strings.Contains(cmd.Example, cmd.CommandPath()+" ") && !strings.HasSuffix(cmd.Example, cmd.CommandPath()) {
			t.Errorf("the examples of %q do not call it", cmd.CommandPath())
		}
	}
	walk(a.root())
	if seen < 20 {
		t.Errorf("only %d commands were looked at", seen)
	}
}

func TestOptionTable(t *testing.T) {
	for _, c := range []struct {
		name  string
		given []string
		want  map[string]any
	}{
		{"none", nil, map[string]any{}},
		{"a value is text, also a number", []string{"port=80"}, map[string]any{"port": "80"}},
		{"a value may hold =", []string{"x=a=b"}, map[string]any{"x": "a=b"}},
		{"a key alone is a bare flag", []string{"v", "w=true", "x=false", "y="}, map[string]any{"v": true, "w": true, "x": false, "y": ""}},
		{"a repeated key is a list", []string{"a=1", "b=2", "a=3", "a=4"}, map[string]any{"a": []any{"1", "3", "4"}, "b": "2"}},
	} {
		if got := optionTable(c.given); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %v makes %v, want %v", c.name, c.given, got, c.want)
		}
	}
}
