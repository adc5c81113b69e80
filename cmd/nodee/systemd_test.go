package main

import (
	"bytes"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAServiceManagerIsToldWhenTheNodeIsUp(t *testing.T) {
	for name, socket := range map[string]string{
		"a path":           filepath.Join(t.TempDir(), "notify"),
		"an abstract name": "@nodee-test-" + filepath.Base(t.TempDir()) + time.Now().Format("150405.000000000"),
	} {
		l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		t.Setenv("NOTIFY_SOCKET", socket)
		sayReady(slog.New(slog.DiscardHandler))
		if err := l.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, 100)
		n, err := l.Read(got)
		if err != nil || string(got[:n]) != "READY=1" {
			t.Errorf("%s: %q, %v", name, got[:n], err)
		}
	}
}

func TestThatItCannotBeToldIsSaid(t *testing.T) {
	var said bytes.Buffer
	log := slog.New(slog.NewTextHandler(&said, nil))
	t.Setenv("NOTIFY_SOCKET", "")
	sayReady(log)
	if said.Len() > 0 {
		t.Errorf("nobody wants to know, and it says %s", said.String())
	}
	t.Setenv("NOTIFY_SOCKET", filepath.Join(t.TempDir(), "nobody"))
	sayReady(log)
	if !strings.Contains(said.String(), "level=ERROR") {
		t.Errorf("it says %q", said.String())
	}
}
