package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/test/bench/model"
)

// coordinator is one that runs, as its command starts it.
type coordinator struct {
	prefix string
	cmd    *exec.Cmd
}

// startCoordinator starts one with a prefix of its own. Its log is in the prefix.
func (b *bench) startCoordinator(dir, server, name string) (*coordinator, error) {
	c := &coordinator{prefix: filepath.Join(dir, name)}
	if err := os.MkdirAll(c.prefix, 0o755); err != nil {
		return nil, err
	}
	log, err := os.Create(filepath.Join(dir, name+".log"))
	if err != nil {
		return nil, err
	}
	defer log.Close() // it has its own by then
	c.cmd = exec.Command(b.binary, "coordinator", "--config", os.DevNull, "--prefix", c.prefix, "--cell", string(model.Name),
		"--zookeeper-servers", server, "--coordinator-addr", "127.0.0.1:0", "--node-name", name, "--node-advertise", "127.0.0.1")
	c.cmd.Stderr = log
	if err := c.cmd.Start(); err != nil {
		return nil, fmt.Errorf("cannot start a coordinator: %w", err)
	}
	return c, nil
}

// kill ends it at once.
func (c *coordinator) kill() error {
	if c == nil || c.cmd.ProcessState != nil {
		return nil
	}
	err := c.cmd.Process.Kill()
	_ = c.cmd.Wait() // that it was killed is no news
	return err
}

// awaitReady waits until it has read the cell.
func (c *coordinator) awaitReady(ctx context.Context) error {
	for ctx.Err() == nil {
		url, err := os.ReadFile(prefix.AddressFile(c.prefix, prefix.Coordinator))
		if err == nil {
			var res *http.Response
			if res, err = http.Get(strings.TrimSpace(string(url)) + "/readyz"); err == nil {
				res.Body.Close()
				if res.StatusCode == http.StatusOK {
					return nil
				}
			}
		}
		group.Rest(ctx, 20*time.Millisecond)
	}
	return errors.Join(errors.New("the coordinator "+c.prefix+" is not ready"), context.Cause(ctx))
}

// megabytes reads a size of the process: "VmRSS:", "VmHWM:" of status, "Private_Dirty:" of smaps_rollup.
func (c *coordinator) megabytes(file, word string) float64 {
	return field(fmt.Sprintf("/proc/%d/%s", c.cmd.Process.Pid, file), word) * 1024 / 1e6
}
