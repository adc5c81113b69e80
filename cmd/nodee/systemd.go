package main

import (
	"fmt"
	"log/slog"
	"net"
	"os"
)

// sayReady tells a service manager, if one has started the anchor and wants to know, that the
// node is up. One that hears nothing takes the start for failed after a while, so what keeps
// it from hearing is logged.
func sayReady(log *slog.Logger) {
	socket := os.Getenv("NOTIFY_SOCKET")
	if socket == "" {
		return
	}
	if err := notify(socket, "READY=1"); err != nil {
		log.Error("cannot tell the service manager that the node is up", "err", err)
	}
}

// notify sends one message to the socket of a service manager, as sd_notify(3) does.
func notify(socket, message string) error {
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := c.Write([]byte(message)); err != nil {
		return fmt.Errorf("cannot write to %s: %w", socket, err)
	}
	return nil
}
