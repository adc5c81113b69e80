package cli

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/cloudname/nodee/internal/group"
)

// How often the line that shows progress is drawn, and how often the daemon is asked what
// to say in it.
const (
	drawEvery = 200 * time.Millisecond
	lookEvery = time.Second
)

// busy does what may take a while. On a terminal, a line of standard error meanwhile tells
// what is done, since when, and what look finds out about it, where there is a look.
func (a *app) busy(ctx context.Context, what string, look func(context.Context) string, do func(context.Context) error) error {
	if !isTerminal(a.Err) {
		return do(ctx)
	}
	g := group.New(ctx)
	g.Go("progress", func(ctx context.Context) error {
		drawProgress(ctx, a.Err, what, look)
		return nil
	})
	err := do(ctx)
	g.End(nil)
	_ = g.Wait() // drawing has no errors
	return err
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// drawProgress draws the line until ctx ends, and removes it.
func drawProgress(ctx context.Context, w io.Writer, what string, look func(context.Context) string) {
	const erase = "\r\x1b[K"
	start, looked, seen := time.Now(), time.Time{}, ""
	tick := time.NewTicker(drawEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			fmt.Fprint(w, erase)
			return
		case now := <-tick.C:
			if look != nil && now.Sub(looked) >= lookEvery {
				looked, seen = now, look(ctx)
			}
			fmt.Fprint(w, erase, progressLine(what, now.Sub(start), seen))
		}
	}
}

// progressLine fits one line of a narrow terminal, as a longer one could not be erased.
func progressLine(what string, since time.Duration, seen string) string {
	line := what + " (" + length(since) + ")"
	if seen != "" {
		line += ": " + seen
	}
	return shortText(printable(line), 79)
}
