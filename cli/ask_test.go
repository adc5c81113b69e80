package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func TestAsk(t *testing.T) {
	for answer, want := range map[string]error{
		"y\n": nil, "Yes\n": nil, " YES": nil, "\n": errDeclined, "": errDeclined, "n\n": errDeclined, "yessir\n": errDeclined,
	} {
		var asked strings.Builder
		a := &app{Program: Program{In: strings.NewReader(answer), Err: &asked}}
		if err := a.ask(t.Context(), "Submit it?"); !errors.Is(err, want) || asked.String() != "Submit it? [y/N] " {
			t.Errorf("%q: %v, want %v; asked %q", answer, err, want, asked.String())
		}
	}
}

// Nobody need answer to get out of a question.
func TestAnInterruptEndsAQuestion(t *testing.T) {
	in, other, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	defer other.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	a := &app{Program: Program{In: in, Err: io.Discard}}
	if err := a.ask(ctx, "Submit it?"); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted question ends with %v", err)
	}
	if _, err := other.WriteString("yes\n"); err != nil {
		t.Fatal(err)
	}
	if err := a.ask(t.Context(), "Submit it?"); err != nil {
		t.Errorf("the answer was yes: %v", err)
	}
}
