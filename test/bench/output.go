package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/runtime/service"
)

// outputBytes is what the service writes.
const outputBytes = 1 << 30

// output has one service write a gigabyte, with compression and without, and the same
// bytes written to a plain file and compressed by zstd.
func (b *bench) output() error {
	const command = "make bench ONLY=output"
	cpu := &table{title: "1 GB of output: processor time of the daemon", unit: "seconds", command: command,
		note: "With keep=200 every byte is kept and, with compression, compressed; with the default, keep=5, what would be thrown away by the next rotation is given back without a copy. zstd is Debian's, and written in C."}
	wall := &table{title: "1 GB of output: time until the service has written it", unit: "seconds", base: "to a plain file", command: command}
	b.tables = append(b.tables, cpu, wall)
	for run := range b.runs {
		say("run %d of %d: output", run+1, b.runs)
		file := filepath.Join(b.work, "plain.log")
		took, err := b.writePlain(file)
		if err != nil {
			return err
		}
		wall.add(wall.base, took.Seconds())
		if took, err = zstd(file); err != nil {
			return err
		}
		cpu.add("zstd -1 of the same bytes", took.Seconds())
		if err := os.Remove(file); err != nil {
			return err
		}
		for _, logs := range []string{`{"compress":false}`, `{"compress":false,"keep":200}`, `{}`, `{"keep":200}`} {
			used, took, err := b.writeUnder(logs)
			if err != nil {
				return err
			}
			name := nodeeName + ", logs = `" + logs + "`"
			cpu.add(name, used.Seconds())
			wall.add(name, took.Seconds())
		}
	}
	return nil
}

func (b *bench) writePlain(file string) (time.Duration, error) {
	f, err := os.OpenFile(file, os.O_CREATE|os.O_TRUNC|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	cmd := exec.Command(b.built("loop"), "write", fmt.Sprint(outputBytes))
	cmd.Stdout = f
	began := time.Now()
	err = cmd.Run()
	return time.Since(began), err
}

func zstd(file string) (time.Duration, error) {
	cmd := exec.Command("zstd", "-1", "-q", "-T1", "-c", file)
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("zstd: %w", err)
	}
	return cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime(), nil
}

// writeUnder has a service of Nodee's write, and returns what the daemon used until it had
// dealt with all of it, and how long the service took.
func (b *bench) writeUnder(logs string) (used, took time.Duration, err error) {
	r, err := b.round(1)
	if err != nil {
		return 0, 0, err
	}
	b.daemon = &daemon{r: r, prefix: filepath.Join(r.dir, "prefix")}
	if err := b.daemon.up(); err != nil {
		return 0, 0, err
	}
	spec, err := service.Decode(fmt.Appendf(nil, `{"command":%q,"args":["write","%d"],"restart":{"policy":"never"},"logs":%s}`,
		b.built("loop"), outputBytes, logs), service.JSON, "")
	if err != nil {
		return 0, 0, err
	}
	before := ticks(b.daemon.status.PID)
	if _, err := b.daemon.client.PutService(context.Background(), coordinate(0), spec, client.Put{}); err != nil {
		return 0, 0, err
	}
	for {
		s, err := b.daemon.client.Service(context.Background(), coordinate(0))
		if err != nil {
			return 0, 0, err
		}
		if x := s.Value.LastExit; x != nil {
			if x.Code == nil || *x.Code != 0 {
				return 0, 0, fmt.Errorf("the writer ended otherwise than it should: %s", x.Why)
			}
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if took, err = b.wroteIn(r); err != nil {
		return 0, 0, err
	}
	used = b.settled(before)
	return used, took, r.end(b.nodee(), nil)
}

// wroteIn reads how long the writer took, which it tells itself, as its last line.
func (b *bench) wroteIn(r *round) (time.Duration, error) {
	text, err := os.ReadFile(filepath.Join(b.daemon.prefix, "logs", filepath.FromSlash(coordinate(0).Path()), "stderr.log"))
	if err != nil {
		return 0, err
	}
	return time.ParseDuration(firstLine(string(text)))
}

// settled waits until the daemon has had nothing to do for three seconds.
func (b *bench) settled(before time.Duration) time.Duration {
	last, since := ticks(b.daemon.status.PID), time.Now()
	for time.Since(since) < 3*time.Second {
		time.Sleep(100 * time.Millisecond)
		if now := ticks(b.daemon.status.PID); now > last+10*time.Millisecond {
			last, since = now, time.Now()
		}
	}
	return last - before
}
