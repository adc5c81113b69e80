// Command server is a real S3 server on two folders of a test's own: versitygw, with its posix
// backend. It is a module apart, so that nothing of it is in Nodee's.
//
// usage: server HOST:PORT OBJECTS ATTRIBUTES, with the keys of its one user in ACCESS and SECRET
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/embedgw"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 4 {
		return fmt.Errorf("usage: server HOST:PORT OBJECTS ATTRIBUTES")
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	attributes, err := meta.NewSideCar(os.Args[3]) // not every file system has attributes of files
	if err != nil {
		return err
	}
	backend, err := posix.New(os.Args[2], attributes, posix.PosixOpts{Concurrency: 16, SideCarDir: os.Args[3]})
	if err != nil {
		return err
	}
	return embedgw.RunVersityGW(ctx, backend, &embedgw.Config{
		RootUserAccess: os.Getenv("ACCESS"), RootUserSecret: os.Getenv("SECRET"), Ports: []string{os.Args[1]},
		MaxConnections: 100, MaxRequests: 100, MultipartMaxParts: 10000, Quiet: true, KeepAlive: true,
	})
}
