package script

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

type daemonKey struct{}

// daemon is the daemon of a story, which may be started and ended many times.
type daemon struct {
	work, prefix string
	address      string        // "" before the first start
	tls          client.Config // the files for https, where certs has made them
	args         []string
	cmd          *exec.Cmd
	done         chan error // has what the process came to, once
}

func (d *daemon) running() bool { return d.cmd != nil }

func (d *daemon) logFile() string { return filepath.Join(d.work, "agent.log") }

// token is empty as long as there is none.
func (d *daemon) token() string {
	b, err := os.ReadFile(filepath.Join(d.prefix, "state", "token"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// start starts the daemon and waits until it is ready.
func (d *daemon) start(args []string) error {
	listen := "127.0.0.1:0"
	if u, err := url.Parse(d.address); err == nil && u.Host != "" {
		listen = u.Host
	}
	d.args = args
	log, err := os.OpenFile(d.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	addressFile := filepath.Join(d.prefix, "state", "http")
	if err := os.Remove(addressFile); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	cmd := exec.Command(filepath.Join(bin, "nodee"), append([]string{"agent", "--log-level", "debug", "--http-addr", listen}, args...)...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + d.work, "NODEE_PREFIX=" + d.prefix, "NODEE_CONFIG=" + os.DevNull}
	cmd.Dir, cmd.Stdout, cmd.Stderr = d.work, log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	d.cmd, d.done = cmd, make(chan error, 1)
	go func() { d.done <- cmd.Wait() }()
	return d.awaitReady(addressFile)
}

func (d *daemon) awaitReady(addressFile string) error {
	deadline := time.After(patience)
	for {
		if b, err := os.ReadFile(addressFile); err == nil {
			d.address = strings.TrimSpace(string(b))
			c, err := d.client()
			if err != nil {
				return err
			}
			if c.Ready(context.Background()) == nil {
				return nil
			}
		}
		select {
		case err := <-d.done:
			d.cmd = nil
			return fmt.Errorf("the daemon has ended (%v): %s", err, d.log())
		case <-deadline:
			return fmt.Errorf("the daemon is not ready within %s: %s", patience, d.log())
		case <-time.After(10 * time.Millisecond):
		}
	}
}

func (d *daemon) client() (*client.Client, error) {
	cfg := d.tls
	cfg.Addr, cfg.Token = d.address, d.token()
	return client.New(cfg)
}

// end ends the daemon, which must exit with 0 unless it was killed.
func (d *daemon) end(signal syscall.Signal) error {
	if !d.running() {
		return errors.New("the daemon does not run")
	}
	if err := d.cmd.Process.Signal(signal); err != nil {
		return err
	}
	select {
	case err := <-d.done:
		d.cmd = nil
		if err != nil && signal != syscall.SIGKILL {
			return fmt.Errorf("the daemon ends with %w: %s", err, d.log())
		}
		return nil
	case <-time.After(patience):
		return fmt.Errorf("the daemon does not end within %s of %s", patience, signal)
	}
}

func (d *daemon) log() string {
	b, err := os.ReadFile(d.logFile())
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// cleanUp removes the services of a story and ends its daemon. What is left then is killed,
// and fails the story.
func (d *daemon) cleanUp(story testscript.T) {
	t := story.(testing.TB)
	if d.address != "" {
		if err := d.removeAll(); err != nil {
			t.Errorf("cannot clean up: %v", err)
		}
	}
	for _, pid := range d.left() {
		t.Errorf("process %d of a service is left, killing it", pid)
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Errorf("cannot kill %d: %v", pid, err)
		}
	}
	if t.Failed() && d.address != "" {
		t.Logf("the daemon's log:\n%s", d.log())
	}
}

func (d *daemon) removeAll() error {
	if !d.running() {
		if err := d.start(d.args); err != nil {
			return err
		}
	}
	c, err := d.client()
	if err != nil {
		return err
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	defer cancel()
	list, err := c.Services(ctx)
	errs := []error{err}
	for _, s := range list.Value.Services {
		name, err := service.ParseCoordinate(s.Coordinate)
		if err == nil {
			err = c.RemoveService(ctx, name, client.Removal{Purge: true})
		}
		errs = append(errs, err)
	}
	return errors.Join(append(errs, d.end(syscall.SIGTERM))...)
}

// left finds the processes of this story's services: each has its runtime directory, below
// the story's own folder, in its environment.
func (d *daemon) left() (pids []int) {
	environments, err := filepath.Glob("/proc/[0-9]*/environ")
	if err != nil {
		return nil
	}
	for _, file := range environments {
		b, err := os.ReadFile(file) // fails for what has ended meanwhile, and is not ours
		if err != nil || !strings.Contains("\x00"+string(b), "\x00NODEE_RUNTIME_DIR="+d.prefix) {
			continue
		}
		if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			pids = append(pids, pid)
		}
	}
	return pids
}
