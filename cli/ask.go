package cli

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// errDeclined is what a command comes to whose question was not answered with yes.
var errDeclined = errors.New("nothing was changed: the answer was not yes")

// canAsk tells whether somebody is there to answer a question.
func (a *app) canAsk() bool {
	in, ok := a.In.(*os.File)
	return ok && term.IsTerminal(int(in.Fd())) && isTerminal(a.Err)
}

// ask asks for a yes.
func (a *app) ask(ctx context.Context, question string) error {
	fmt.Fprintf(a.Err, "%s [y/N] ", printable(question))
	if in, ok := a.In.(*os.File); ok {
		if err := awaitInput(ctx, in); err != nil {
			fmt.Fprintln(a.Err)
			return err
		}
	}
	line, err := bufio.NewReader(a.In).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("cannot read the answer: %w", err)
	}
	switch strings.ToLower(strings.TrimSpace(line)) {
	case "y", "yes":
		return nil
	}
	return errDeclined
}

// pollTime is how long an interrupt may go unnoticed while an answer is waited for, in milliseconds.
const pollTime = 100

// awaitInput returns when there is something to read. A read that has begun on a terminal could
// not be ended by an interrupt.
func awaitInput(ctx context.Context, in *os.File) error {
	fds := []unix.PollFd{{Fd: int32(in.Fd()), Events: unix.POLLIN}}
	for ctx.Err() == nil {
		n, err := unix.Poll(fds, pollTime)
		switch {
		case n > 0:
			return nil
		case err != nil && !errors.Is(err, unix.EINTR):
			return fmt.Errorf("cannot wait for the answer: %w", err)
		}
	}
	return fmt.Errorf("nothing was changed: %w", ctx.Err())
}
