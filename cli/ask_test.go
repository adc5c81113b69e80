package cli

import (
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
)

func pipe(t *testing.T) (in, out *os.File) {
	t.Helper()
	in, out, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		out.Close()
	})
	return in, out
}

func TestAsk(t *testing.T) {
	for answer, want := range map[string]error{
		"y\n": nil, "Yes\n": nil, " YES": nil, "\n": errDeclined, "": errDeclined, "n\n": errDeclined, "yessir\n": errDeclined,
	} {
		in, person := pipe(t)
		if _, err := person.WriteString(answer); err != nil {
			t.Fatal(err)
		}
		person.Close()
		var asked strings.Builder
		if err := askOn(t.Context(), &asked, in, "Submit it?"); !errors.Is(err, want) || asked.String() != "Submit it? [y/N] " {
			t.Errorf("%q: %v, want %v; asked %q", answer, err, want, asked.String())
		}
	}
}

// Nobody need answer to get out of a question.
func TestAnInterruptEndsAQuestion(t *testing.T) {
	in, _ := pipe(t)
	ctx, interrupt := context.WithCancel(t.Context())
	interrupt()
	if err := askOn(ctx, io.Discard, in, "Submit it?"); !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted question ends with %v", err)
	}
}

func TestNobodyIsAskedButOnATerminal(t *testing.T) {
	in, _ := pipe(t)
	for _, from := range []io.Reader{in, strings.NewReader("yes\n")} {
		a := &app{Program: Program{In: from, Err: io.Discard}}
		if err := a.ask(t.Context(), "Submit it?"); !errors.Is(err, errNobody) {
			t.Errorf("asking comes to %v", err)
		}
	}
}
