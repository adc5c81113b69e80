package e2e

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/zkschema"
)

// session is the timeout of the sessions of nodes and coordinators that are killed and frozen.
const session = 3 * time.Second

// site is a whole cell of real daemons: nodes n1 to n4, coordinators c1 and c2, three servers of
// ZooKeeper. Its stories are told one after another, each by jobs of its own.
type site struct {
	cell
	s            keeper.Session // of an onlooker
	nodes        []*node
	coordinators []*coordinator
	artifacts    *artifacts
}

// newSite starts one, and sees to it that nothing of it is left after the test.
func newSite(t *testing.T, name string) *site {
	t.Helper()
	s := &site{cell: cell{Cell: zkschema.Cell(name), t: t, servers: keepertest.Start(t, 3)}, artifacts: newArtifacts(t)}
	brief := []string{"--zookeeper-session-timeout", session.String(), "--node-advertise", "127.0.0.1"}
	for i := range 4 {
		name := fmt.Sprintf("n%d", i+1)
		s.nodes = append(s.nodes, start(t, slices.Concat(s.args(name), brief, []string{"--repository", "test=" + s.artifacts.URL})...))
	}
	for _, name := range []string{"c1", "c2"} {
		c := &coordinator{t: t, name: name, prefix: t.TempDir(), args: append(s.args(name), brief...)}
		t.Cleanup(c.end)
		c.up()
		s.coordinators = append(s.coordinators, c)
	}
	s.s = s.lookFor(8 * session) // which outlives that all servers are away, and finds another one in half of it
	t.Cleanup(s.clear)
	return s
}

// clear removes all jobs, as long as the test has gone well: the nodes go on with nothing then.
func (s *site) clear() {
	if s.t.Failed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	c := s.coordinators[0].client
	all, err := c.Jobs(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, j := range all.Value.Jobs {
		if err := c.RemoveJob(ctx, j.Name, client.JobChange{Wait: client.Wait(limit)}); err != nil {
			s.t.Error(err)
		}
	}
}

// story tells a part of a test as a test of its own.
func (s *site) story(name string, tell func(*site)) {
	s.t.Run(name, func(t *testing.T) {
		whole := s.t
		s.of(t)
		defer s.of(whole)
		tell(s)
		if t.Failed() {
			for _, c := range s.coordinators {
				t.Logf("%s said:\n%s", c.name, c.log)
			}
		}
	})
}

// of has all that fails fail as a part of t.
func (s *site) of(t *testing.T) {
	s.t = t
	for _, n := range s.nodes {
		n.t = t
	}
	for _, c := range s.coordinators {
		c.t = t
	}
}

// until waits for something to come true.
func (s *site) until(what string, check func() error) {
	s.t.Helper()
	deadline := time.Now().Add(limit)
	for err := check(); err != nil; err = check() {
		if time.Now().After(deadline) {
			for _, c := range s.coordinators {
				s.t.Logf("%s said:\n%s", c.name, c.log)
			}
			s.t.Fatalf("waited in vain until %s: %v", what, err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// leader returns who leads the cell, once somebody does, and the other one.
func (s *site) leader() (leads, follows *coordinator) {
	s.t.Helper()
	s.until("somebody leads", func() error {
		data, _, err := s.s.Get(s.t.Context(), s.Leader(), nil)
		if err != nil {
			return err
		}
		l, err := zkschema.DecodeLeader(data)
		if err != nil {
			return err
		}
		for i, c := range s.coordinators {
			if c.name == l.Name {
				leads, follows = c, s.coordinators[1-i]
				return nil
			}
		}
		return fmt.Errorf("%q leads", l.Name)
	})
	return leads, follows
}

// alive returns the coordinators that have not been killed.
func (s *site) alive() []*coordinator {
	var all []*coordinator
	for _, c := range s.coordinators {
		if c.cmd.ProcessState == nil {
			all = append(all, c)
		}
	}
	return all
}

// led waits until somebody leads, who is not the one that did.
func (s *site) led(before *coordinator) *coordinator {
	s.t.Helper()
	var now *coordinator
	s.until("another one than "+before.name+" leads", func() error {
		if now, _ = s.leader(); now == before {
			return errors.New("it still does")
		}
		return nil
	})
	return now
}

// coordinator is a coordinator's process with a prefix of its own, which may die and be started again.
type coordinator struct {
	t      *testing.T
	name   string
	prefix string
	args   []string
	cmd    *exec.Cmd
	log    *lines
	client *client.Client
}

// up starts it and waits until it is ready.
func (c *coordinator) up() {
	c.t.Helper()
	c.launch()
	c.await()
}

func (c *coordinator) launch() {
	c.t.Helper()
	c.log = &lines{}
	c.cmd = exec.Command(binary, slices.Concat([]string{"coordinator", "--prefix", c.prefix, "--coordinator-addr", "127.0.0.1:0"}, c.args)...)
	c.cmd.Stdout, c.cmd.Stderr = c.log, c.log
	os.Remove(filepath.Join(c.prefix, "state", "coordinator-http")) // the address of the one before
	if err := c.cmd.Start(); err != nil {
		c.t.Fatal(err)
	}
}

func (c *coordinator) await() {
	c.t.Helper()
	deadline := time.Now().Add(limit)
	for err := c.answers(); err != nil; err = c.answers() {
		if time.Now().After(deadline) {
			c.t.Fatalf("%s is not ready: %v\n%s", c.name, err, c.log)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func (c *coordinator) answers() error {
	if _, err := os.Stat(filepath.Join(c.prefix, "state", "coordinator-http")); err != nil {
		return err
	}
	var err error
	if c.client, err = client.New(client.Config{Addr: c.address(), Token: c.token()}); err != nil {
		return err
	}
	return c.client.Ready(c.t.Context())
}

// address is the URL of its API.
func (c *coordinator) address() string { c.t.Helper(); return c.state("coordinator-http") }

func (c *coordinator) token() string { c.t.Helper(); return c.state("token") }

// state reads a file of its state.
func (c *coordinator) state(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(filepath.Join(c.prefix, "state", name))
	if err != nil {
		c.t.Fatal(err)
	}
	return strings.TrimSpace(string(text))
}

// signal sends to the process, which is not waited for before: nobody else has its number.
func (c *coordinator) signal(s syscall.Signal) {
	c.t.Helper()
	if err := c.cmd.Process.Signal(s); err != nil {
		c.t.Fatal(err)
	}
}

func (c *coordinator) freeze() { c.t.Helper(); c.signal(syscall.SIGSTOP) }
func (c *coordinator) thaw()   { c.t.Helper(); c.signal(syscall.SIGCONT) }

// kill ends it as kill -9 does.
func (c *coordinator) kill() {
	c.t.Helper()
	c.signal(syscall.SIGKILL)
	c.cmd.Wait()
	c.client.Close()
}

// end ends it as a service manager does, and wants that it ends well.
func (c *coordinator) end() {
	if c.cmd == nil || c.cmd.ProcessState != nil {
		return
	}
	c.cmd.Process.Signal(syscall.SIGCONT)
	c.cmd.Process.Signal(syscall.SIGTERM)
	killer := time.AfterFunc(limit, func() { c.cmd.Process.Kill() })
	defer killer.Stop()
	if err := c.cmd.Wait(); err != nil {
		c.t.Errorf("%s has ended with %v:\n%s", c.name, err, c.log)
	}
}

// work is a job of processes that do nothing, for others to be made of it.
func (s *site) work(service string, count int) job.Job {
	s.t.Helper()
	j, err := job.Decode(fmt.Appendf(nil, `{"name":"%s.%s.e2e","count":%d,"replace_after":"2s",
		"update":{"min_healthy":"1s","healthy_deadline":"20s"},
		"spec":{"command":"sleep","args":["1000"],"stop":{"grace":"2s"},"restart":{"base":"100ms"}}}`, service, s.Cell, count), document.JSON, "")
	if err != nil {
		s.t.Fatal(err)
	}
	return j
}

// put puts a job, at one of the coordinators, and does not wait.
func (s *site) put(j job.Job) api.Job {
	s.t.Helper()
	var got client.Answer[api.Job]
	s.until("the job is taken", func() (err error) {
		for _, c := range s.alive() {
			ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
			got, err = c.client.PutJob(ctx, j, client.JobChange{})
			cancel()
			if err == nil {
				return nil
			}
		}
		return err
	})
	return got.Value
}

// run puts a job and waits until it has come true.
func (s *site) run(j job.Job) api.Job {
	s.t.Helper()
	got := s.put(j)
	return s.done(j.Name, got.Version)
}

// done waits until a version of a job has come true.
func (s *site) done(name job.Name, version int) api.Job {
	s.t.Helper()
	var j api.Job
	s.until(fmt.Sprintf("version %d of %s has come true", version, name), func() error {
		j = s.shown(name)
		ended, failure := j.Outcome(version)
		if failure != "" {
			s.t.Fatal(failure)
		}
		if !ended {
			return fmt.Errorf("%+v", j.Status)
		}
		return nil
	})
	return j
}

// shown returns a job as some coordinator shows it.
func (s *site) shown(name job.Name) api.Job {
	s.t.Helper()
	var got client.Answer[api.Job]
	s.until(name.String()+" is shown", func() (err error) {
		for _, c := range s.alive() {
			ctx, cancel := context.WithTimeout(s.t.Context(), time.Second)
			got, err = c.client.Job(ctx, name)
			cancel()
			if err == nil {
				return nil
			}
		}
		return err
	})
	return got.Value
}
