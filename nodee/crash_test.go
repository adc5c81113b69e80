package nodee

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/settings"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
	"github.com/cloudname/nodee/test/leaktest"
)

// What the test binary is told when it is to be a daemon that dies.
const (
	crashPrefix = "NODEE_TEST_CRASH_PREFIX"
	crashAt     = "NODEE_TEST_CRASH_AT" // which point of no return; 0: none
	crashSpec   = "NODEE_TEST_CRASH_SPEC"
	crashEnd    = "NODEE_TEST_CRASH_END" // set: remove the service, and with it all that it left
	crashLimit  = 30 * time.Second
)

func TestMain(m *testing.M) {
	if os.Getenv(crashPrefix) != "" {
		if err := beDaemon(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	leaktest.Main(m)
}

// points counts the moments before and after everything that outlives the daemon, and ends
// the process at one of them as kill -9 does.
type points struct {
	supervise.Launcher
	supervise.Records
	seen atomic.Int64
	at   int64
}

func (p *points) pass() {
	if p.seen.Add(1) == p.at {
		syscall.Kill(os.Getpid(), syscall.SIGKILL)
		select {} // until the signal is delivered
	}
}

func (p *points) Save(name string, r supervise.Record) error {
	p.pass()
	err := p.Records.Save(name, r)
	p.pass()
	return err
}

func (p *points) Start(ctx context.Context, k supervise.Key, l supervise.Launch) (supervise.Handle, error) {
	p.pass()
	h, err := p.Launcher.Start(ctx, k, l)
	p.pass()
	return h, err
}

func (p *points) Watch(ctx context.Context, h supervise.Handle) (supervise.Exit, error) {
	x, err := p.Launcher.Watch(ctx, h)
	if err == nil {
		p.pass()
	}
	return x, err
}

func (p *points) Stop(ctx context.Context, h supervise.Handle, halt supervise.Halt) (bool, error) {
	p.pass()
	killed, err := p.Launcher.Stop(ctx, h, halt)
	p.pass()
	return killed, err
}

// beDaemon runs an agent with one service until that has come to something, says to what on
// standard output, and leaves it running.
func beDaemon() error {
	at, err := strconv.ParseInt(os.Getenv(crashAt), 10, 64)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), crashLimit)
	defer cancel()
	s := settings.Default()
	s.Prefix, s.HTTP.Addr, s.Node.Name = os.Getenv(crashPrefix), "127.0.0.1:0", "n1"
	a, err := New(ctx, Config{Settings: s, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))})
	if err != nil {
		return err
	}
	defer a.Close(ctx)
	a.bend = func(c *supervise.Config) {
		p := &points{Launcher: c.Launcher, Records: c.Records, at: at}
		c.Launcher, c.Records = p, p
	}
	run, end := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- a.Run(run) }()
	state, err := startOnce(ctx, a)
	end()
	if e := <-ended; err == nil {
		err = e
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(state)
}

// startOnce asks for the service if nobody has yet, and waits until it has come to something.
func startOnce(ctx context.Context, a *Agent) (api.Service, error) {
	if err := a.AwaitReady(ctx); err != nil {
		return api.Service{}, err
	}
	c, err := service.ParseCoordinate("1.web.borud.fbu")
	if err != nil {
		return api.Service{}, err
	}
	if os.Getenv(crashEnd) != "" {
		return api.Service{}, errors.Join(a.RemoveService(ctx, c, true), a.AwaitRemoval(ctx, c))
	}
	if _, err := a.Service(c); err != nil {
		spec, err := service.Decode([]byte(os.Getenv(crashSpec)), service.JSON, "")
		if err != nil {
			return api.Service{}, err
		}
		if _, _, err := a.PutService(ctx, c, spec, true); err != nil {
			return api.Service{}, err
		}
	}
	for {
		changed := a.services.Changed()
		s, err := a.Service(c)
		settled := s.State == "failed" || s.State == "stopped" || s.State == "running" && s.UptimeSeconds > steady.Seconds()
		if err != nil || settled {
			return s, err
		}
		select {
		case <-changed:
		case <-time.After(steady):
		case <-ctx.Done():
			return s, fmt.Errorf("it is still %s: %s", s.State, s.Why)
		}
	}
}

// daemon runs the test binary as a daemon that dies at a point, and returns what it said; nil
// if it died before it could.
func daemon(t *testing.T, prefix string, at int, env string) *api.Service {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*crashLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(os.Environ(), crashPrefix+"="+prefix, crashAt+"="+strconv.Itoa(at), env)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if status, ok := cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() && status.Signal() == syscall.SIGKILL && at != 0 {
		return nil
	}
	if err != nil {
		t.Fatalf("the daemon that was to die at point %d: %v\n%s", at, err, &errs)
	}
	var s api.Service
	if err := json.Unmarshal(out.Bytes(), &s); err != nil {
		t.Fatalf("%v: %s\n%s", err, &out, &errs)
	}
	return &s
}

// TestDaemonKilledAtEveryPoint kills the daemon at every moment before and after something
// that outlives it. The next daemon finds one process, not two and not none, and a program
// that is to run once has run once.
func TestDaemonKilledAtEveryPoint(t *testing.T) {
	for name, c := range map[string]struct {
		script string // says "start" in its log each time
		policy string
		more   string // of the spec
		state  string
		reason service.Reason // of its end
	}{
		"runs on":            {"echo start; exec sleep 1000", "always", "", "running", ""},
		"runs once":          {"echo start; exit 7", "never", "", "failed", service.ReasonExited},
		"runs once, cleanly": {"echo start", "on-failure", "", "stopped", service.ReasonExited},
		"becomes ready": {"echo start; touch up; exec sleep 1000", "always",
			`,"checks":[{"name":"up","type":"exec","role":"startup","command":["test","-e","up"]}]`, "running", ""},
		"is never ready": {"echo start; exec sleep 1000", "never",
			`,"ready_timeout":"200ms","checks":[{"name":"up","type":"exec","role":"startup","command":["false"]}]`, "failed", service.ReasonTimeout},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := fmt.Sprintf(`{"command":"sh","args":["-c",%q],"restart":{"policy":%q},"stop":{"grace":"1s"}%s}`, c.script, c.policy, c.more)
			for at := 1; ; at++ {
				prefix := t.TempDir()
				died := daemon(t, prefix, at, crashSpec+"="+spec) == nil
				s := daemon(t, prefix, 0, crashSpec+"="+spec)
				check(t, prefix, at, *s, c.state, c.policy)
				if x := s.LastExit; c.reason != "" && (x == nil || x.Reason != c.reason && x.Reason != service.ReasonUnknown) {
					t.Errorf("killed at point %d: its last exit is %+v, want %s", at, x, c.reason)
				}
				daemon(t, prefix, 0, crashEnd+"=yes")
				if !died { // there are no more points
					if at < 5 {
						t.Errorf("only %d points were passed", at-1)
					}
					return
				}
			}
		})
	}
}

func check(t *testing.T, prefix string, at int, s api.Service, state, policy string) {
	t.Helper()
	// A clean end that nobody saw counts as unclean, which on-failure answers with another run.
	unseen := policy == "on-failure" && s.Restarts == 1
	log, err := os.ReadFile(filepath.Join(prefix, "logs", "fbu", "borud", "web", "1", "stdout.log"))
	if err != nil {
		t.Fatalf("killed at point %d: %v", at, err)
	}
	starts := strings.Count(string(log), "start\n")
	if s.State != state || starts != 1 && !(unseen && starts == 2) {
		t.Errorf("killed at point %d: %d starts, %s (%s), %d restarts; want 1, %s", at, starts, s.State, s.Why, s.Restarts, state)
	}
	if (s.PID != nil) != (state == "running") {
		t.Errorf("killed at point %d: pid %v in state %s", at, s.PID, s.State)
	}
}
