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

// errNobody says that there is nobody to ask.
var errNobody = errors.New("there is no terminal to ask on")

// canAsk tells whether somebody is there to answer a question.
func (a *app) canAsk() bool {
	screen, err := a.screen()
	if err != nil {
		return false
	}
	screen.Close()
	return true
}

// screen opens the terminal that questions go to, also where standard error goes elsewhere.
// Standard input must be one: that is where answers come from.
func (a *app) screen() (*os.File, error) {
	in, ok := a.In.(*os.File)
	if !ok || !term.IsTerminal(int(in.Fd())) {
		return nil, errNobody
	}
	screen, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil, errNobody
	}
	return screen, nil
}

// ask asks for a yes on the terminal.
func (a *app) ask(ctx context.Context, question string) error {
	screen, err := a.screen()
	if err != nil {
		return err
	}
	defer screen.Close()
	return askOn(ctx, screen, a.In.(*os.File), question)
}

// askOn writes a question to out and reads the answer from in.
func askOn(ctx context.Context, out io.Writer, in *os.File, question string) error {
	fmt.Fprintf(out, "%s [y/N] ", printable(question))
	if err := awaitInput(ctx, in); err != nil {
		fmt.Fprintln(out)
		return err
	}
	line, err := bufio.NewReader(in).ReadString('\n')
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
