package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

func (a *app) serviceLogs() *cobra.Command {
	var part logFlags
	cmd := &cobra.Command{
		Use: "logs COORDINATE", Short: "Show what a service has written", Args: takes("COORDINATE"), ValidArgsFunction: a.completeCoordinate,
		Long: `Writes what a service has written to its standard output or standard error, byte
for byte: all that is kept, also what was rotated away, unless --tail, --since or
--offset say otherwise; how much is kept is for the key logs of its spec to say.
The logs of a service that has stopped or failed stay until it is removed with
--purge. When something was written is known to about a second.

With --follow it goes on with what is written from now on, until Ctrl-C (exit code
0) or until the service is removed. It outlives the daemon: when that is back, it
goes on at the same byte, so no line is lost or doubled. Bytes that are not kept
any more, because it was too slow or the service truncated its log, are told of
on standard error.`,
		Example: `  nodee service logs 1.web.borud.fbu --tail 20
  nodee service logs 1.web.borud.fbu --stream stderr --follow
  nodee service logs 1.web.borud.fbu --since 10m`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q, err := part.query(cmd.Flags())
			if err != nil {
				return err
			}
			return a.logs(q)(cmd, args)
		},
	}
	part.register(cmd.Flags())
	return cmd
}

// logFlags say which part of a log is wanted.
type logFlags struct {
	stream *string
	tail   int
	offset int64
	follow bool
	since  quantity.Moment
}

func (f *logFlags) register(fs *pflag.FlagSet) {
	f.stream = Choice(fs, "stream", "", "which of its streams", "stdout", "stderr")
	fs.IntVar(&f.tail, "tail", 0, "only the last `N` lines")
	fs.Int64Var(&f.offset, "offset", 0, "begin at this `BYTE`, counted from the first that was ever written")
	fs.BoolVar(&f.follow, "follow", false, "go on with what is written from now on")
	fs.TextVar(&f.since, "since", quantity.Moment{}, "only what was written in this last `TIME`, such as 10m, or since one such as 2026-11-21T13:00:00Z")
}

func (f *logFlags) query(fs *pflag.FlagSet) (client.LogQuery, error) {
	q := client.LogQuery{Stream: *f.stream, Follow: f.follow, Since: f.since, Contiguous: f.follow}
	tailed, at := fs.Changed("tail"), fs.Changed("offset")
	switch {
	case at && (tailed || f.since.Given()):
		return q, usage("--offset contradicts --tail and --since: give one of them")
	case f.tail < 0 || f.offset < 0:
		return q, usage("--tail and --offset count from 0, they cannot be negative")
	case tailed:
		q.Tail = &f.tail
	case at:
		q.Offset = &f.offset
	}
	return q, nil
}

// logs makes the function that writes a part of a log.
func (a *app) logs(q client.LogQuery) func(*cobra.Command, []string) error {
	return a.withService(func(ctx context.Context, c *client.Client, coordinate service.Coordinate) error {
		once := func(ctx context.Context, begun func()) error {
			log, err := c.Logs(ctx, coordinate, q)
			if err != nil {
				return err
			}
			defer log.Close()
			begun()
			if q.Offset != nil && log.Offset() > *q.Offset {
				fmt.Fprintf(a.Err, "nodee: %d bytes of the log are not there any more\n", log.Offset()-*q.Offset)
			}
			_, err = io.Copy(sink{a.Out}, log)
			next := log.Offset()
			q.Tail, q.Offset, q.Since = nil, &next, quantity.Moment{}
			return err
		}
		if !q.Follow {
			return once(ctx, func() {})
		}
		return a.follow(ctx, coordinate.String(), once)
	})
}

// sink marks what goes wrong with writing.
type sink struct{ io.Writer }

func (s sink) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil {
		err = &writeError{err}
	}
	return n, err
}
