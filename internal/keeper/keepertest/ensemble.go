package keepertest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/keeper"
)

// Tick and MaxTimeout are how servers are configured. With a short tick expired sessions are
// dropped soon; no timeout is granted that is shorter than two of them.
const (
	Tick       = 200 * time.Millisecond
	MaxTimeout = time.Minute
)

// Ensemble is one ZooKeeper server, or three, that belong to a test.
type Ensemble struct {
	Servers []string // host:port of server 1 and the others
	t       testing.TB
	script  string
	dir     string
}

// Start starts servers (1 or 3) and stops them when t ends. Without ZooKeeper t fails.
func Start(t testing.TB, servers int) *Ensemble {
	t.Helper()
	e := Configure(t, servers)
	e.Up()
	return e
}

// Configure does all of Start but to start the servers: Up does. Rewrite
// may be called before.
func Configure(t testing.TB, servers int) *Ensemble {
	t.Helper()
	e := &Ensemble{t: t, script: script(t), dir: t.TempDir()}
	e.run("configure", "--servers", strconv.Itoa(servers), "--tick", strconv.FormatInt(Tick.Milliseconds(), 10), e.dir)
	e.Servers = strings.Split(e.run("connect", e.dir), ",")
	t.Cleanup(func() { e.run("stop", e.dir) })
	for n := range e.Servers {
		e.Rewrite(n+1, func(config string) string {
			return fmt.Sprintf("%smaxSessionTimeout=%d\n", config, MaxTimeout.Milliseconds())
		})
	}
	return e
}

// script finds scripts/zookeeper, from any folder of the module.
func script(t testing.TB) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for ; dir != "/"; dir = filepath.Dir(dir) {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, "scripts", "zookeeper")
		}
	}
	t.Fatal("cannot find scripts/zookeeper: not below a go.mod")
	return ""
}

// run runs the script and returns what it prints.
func (e *Ensemble) run(args ...string) string {
	e.t.Helper()
	// Not the test's context: the servers are stopped after that has ended.
	ctx, cancel := context.WithTimeout(context.Background(), 4*patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, e.script, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		e.t.Fatalf("scripts/zookeeper %s: %v\n%s(is ZooKeeper installed? scripts/zookeeper install)", strings.Join(args, " "), err, &stderr)
	}
	return strings.TrimSpace(stdout.String())
}

// Up starts every server that is down, and waits until all of them serve.
func (e *Ensemble) Up() {
	e.t.Helper()
	e.run("start", e.dir)
}

// Rewrite changes the configuration of server n, which knows it when it is started next.
func (e *Ensemble) Rewrite(n int, change func(config string) string) {
	e.t.Helper()
	name := filepath.Join(e.dir, strconv.Itoa(n), "zoo.cfg")
	config, err := os.ReadFile(name)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(change(string(config))), 0o600); err != nil {
		e.t.Fatal(err)
	}
}

// Backup copies the data of server n, which is down, and returns where the copy is.
func (e *Ensemble) Backup(n int) string {
	e.t.Helper()
	dir := filepath.Join(e.t.TempDir(), "data")
	if err := os.CopyFS(dir, os.DirFS(filepath.Join(e.dir, strconv.Itoa(n), "data"))); err != nil {
		e.t.Fatal(err)
	}
	return dir
}

// Restore has server n, which is down, begin from a backup when it is started next.
func (e *Ensemble) Restore(n int, backup string) {
	e.t.Helper()
	e.Rewrite(n, func(config string) string { return dataLine.ReplaceAllString(config, "dataDir="+backup) })
}

var dataLine = regexp.MustCompile(`(?m)^dataDir=.*$`)

// Changes asks a server for the number of the last change that was agreed on.
func (e *Ensemble) Changes(server int) int64 {
	e.t.Helper()
	conn, err := net.DialTimeout("tcp", e.Servers[server-1], patience)
	if err != nil {
		e.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		e.t.Fatal(err)
	}
	if _, err := fmt.Fprint(conn, "srvr"); err != nil {
		e.t.Fatal(err)
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		e.t.Fatal(err)
	}
	m := zxidLine.FindSubmatch(answer)
	if m == nil {
		e.t.Fatalf("srvr answers %q", answer)
	}
	n, err := strconv.ParseInt(string(m[1]), 16, 64)
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

var zxidLine = regexp.MustCompile(`Zxid: 0x([0-9a-f]+)`)

// Kill kills server n.
func (e *Ensemble) Kill(n int) { e.t.Helper(); e.signal(n, unix.SIGKILL) }

// Freeze stops server n where it is, until Thaw.
func (e *Ensemble) Freeze(n int) { e.t.Helper(); e.signal(n, unix.SIGSTOP) }

// Thaw lets server n go on.
func (e *Ensemble) Thaw(n int) { e.t.Helper(); e.signal(n, unix.SIGCONT) }

// signal sends to the server's process and to none that has got its number since.
func (e *Ensemble) signal(n int, sig unix.Signal) {
	e.t.Helper()
	pid := e.run("pid", e.dir, strconv.Itoa(n))
	number, err := strconv.Atoi(pid)
	if err != nil {
		e.t.Fatal(err)
	}
	fd, err := unix.PidfdOpen(number, 0)
	if err != nil {
		e.t.Fatalf("cannot signal server %d: %v", n, err)
	}
	again := e.run("pid", e.dir, strconv.Itoa(n)) // the descriptor is of this process, if it still is that one
	if again == pid {
		err = unix.PidfdSendSignal(fd, sig, nil, 0)
		if err == nil && sig == unix.SIGKILL { // a server that is dying yet would be taken for one that runs
			_, err = unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
		}
	}
	if err := errors.Join(err, unix.Close(fd)); err != nil || again != pid {
		e.t.Fatalf("cannot signal server %d, process %s, now %s: %v", n, pid, again, err)
	}
}

var role = regexp.MustCompile(`(?m)^server (\d): (\w+),`)

// Leader returns which server leads, once one does.
func (e *Ensemble) Leader() int {
	e.t.Helper()
	leader := 0
	Eventually(e.t, "a leader", func() bool {
		// Some servers may be down, which makes the command fail.
		out, _ := exec.CommandContext(e.t.Context(), e.script, "status", e.dir).Output()
		for _, m := range role.FindAllStringSubmatch(string(out), -1) {
			if m[2] == "leader" {
				leader, _ = strconv.Atoi(m[1])
			}
		}
		return leader != 0
	})
	return leader
}

// Remote is a keeper behind proxies of its own.
type Remote struct {
	*keeper.ZooKeeper
	Proxies []*Proxy
}

// Through makes a keeper that reaches each of the servers through a proxy of its own.
func Through(t testing.TB, timeout time.Duration, servers ...string) *Remote {
	t.Helper()
	r := &Remote{}
	var addrs []string
	for _, server := range servers {
		p := NewProxy(t, server)
		r.Proxies = append(r.Proxies, p)
		addrs = append(addrs, p.Addr)
	}
	r.ZooKeeper = Connect(t, timeout, addrs...)
	return r
}

// Connect makes a keeper of the servers, which logs into t.
func Connect(t testing.TB, timeout time.Duration, servers ...string) *keeper.ZooKeeper {
	t.Helper()
	k, err := keeper.New(keeper.Config{Servers: servers, Timeout: timeout, Log: Log(t)})
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Cut lets nothing pass between the keeper and its servers.
func (r *Remote) Cut() { r.each((*Proxy).Hole) }

// LoseAnswers lets no answer pass.
func (r *Remote) LoseAnswers() { r.each((*Proxy).Deaf) }

// Heal lets everything pass.
func (r *Remote) Heal() { r.each((*Proxy).Heal) }

func (r *Remote) each(do func(*Proxy)) {
	for _, p := range r.Proxies {
		do(p)
	}
}

// Log gives a log that writes into t's, for as long as t runs.
func Log(t testing.TB) *slog.Logger {
	w := &lines{t: t}
	t.Cleanup(w.end)
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

type lines struct {
	mu sync.Mutex
	t  testing.TB // nil when the test has ended: to log into it then is a panic
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.t != nil {
		l.t.Log(strings.TrimSpace(string(b)))
	}
	return len(b), nil
}

func (l *lines) end() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.t = nil
}
