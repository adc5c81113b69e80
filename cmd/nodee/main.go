// Command nodee is the one binary: the daemon of a host, and the command line that talks
// to it. It knows flags and signals; what they mean is told in the libraries it calls.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/cloudname/nodee/cli"
)

// version is set when the binary is linked; see the Makefile.
var version = "devel"

func main() {
	// Services inherit it, and find the same whoever has started the daemon.
	syscall.Umask(0o022)
	// The first signal ends what runs in an orderly way. The second finds nobody who
	// listens any more, and ends the process at once.
	ends := []os.Signal{syscall.SIGINT, syscall.SIGTERM}
	if !signal.Ignored(syscall.SIGHUP) { // by nohup
		ends = append(ends, syscall.SIGHUP)
	}
	ctx, stop := signal.NotifyContext(context.Background(), ends...)
	context.AfterFunc(ctx, stop)
	os.Exit(cli.Run(ctx, cli.Program{
		Version: version, Daemons: []*cobra.Command{agent(), coordinator(), dev()},
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
	}, os.Args[1:]))
}
