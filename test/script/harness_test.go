package script

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// patience is how long a story waits for anything.
const patience = 20 * time.Second

// setup gives a story a prefix and an environment of its own, and cleans up behind it.
func setup(env *testscript.Env) error {
	d := &daemon{work: env.WorkDir, prefix: filepath.Join(env.WorkDir, "prefix")}
	env.Values[daemonKey{}] = d
	env.Setenv("PATH", bin+string(os.PathListSeparator)+env.Getenv("PATH"))
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("NODEE_PREFIX", d.prefix)
	env.Setenv("NODEE_CONFIG", os.DevNull) // whatever this host has in /etc
	env.Setenv("TZ", "UTC")
	env.Defer(func() { d.cleanUp(env.T()) })
	return nil
}

// agent [FLAG]... starts the daemon and waits until it is ready. The first one takes a free
// port, which those after it keep; NODEE_ADDR names it.
func startAgent(ts *testscript.TestScript, neg bool, args []string) {
	if neg {
		ts.Fatalf("usage: agent [FLAG]...")
	}
	d := ts.Value(daemonKey{}).(*daemon)
	if d.running() {
		ts.Fatalf("the daemon runs already")
	}
	ts.Check(d.start(args))
	ts.Setenv("NODEE_ADDR", d.address)
}

// end SIGNAL ends the daemon with TERM or INT, after which it must exit with 0, or with KILL.
func endAgent(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]syscall.Signal{"TERM": syscall.SIGTERM, "INT": syscall.SIGINT, "KILL": syscall.SIGKILL}
	if neg || len(args) != 1 || signals[args[0]] == 0 {
		ts.Fatalf("usage: end TERM|INT|KILL")
	}
	ts.Check(ts.Value(daemonKey{}).(*daemon).end(signals[args[0]]))
}

// serve DIR serves a folder over HTTP, and sets REPOSITORY to its URL.
func serve(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: serve DIR")
	}
	server := httptest.NewServer(http.FileServer(http.Dir(ts.MkAbs(args[0]))))
	ts.Defer(server.Close)
	ts.Setenv("REPOSITORY", server.URL)
}

// pack FILE DIR makes a tar.gz of a folder. Files that begin with #! are executable.
func pack(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pack FILE DIR")
	}
	archive, err := tarball(os.DirFS(ts.MkAbs(args[1])))
	ts.Check(err)
	file := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(file), 0o755))
	ts.Check(os.WriteFile(file, archive, 0o644))
}

func tarball(dir fs.FS) ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	err := fs.WalkDir(dir, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(dir, name)
		if err != nil {
			return err
		}
		mode := int64(0o644)
		if bytes.HasPrefix(text, []byte("#!")) {
			mode = 0o755
		}
		err = t.WriteHeader(&tar.Header{Name: name, Mode: mode, Size: int64(len(text))})
		if err == nil {
			_, err = t.Write(text)
		}
		return err
	})
	err = errors.Join(err, t.Close(), z.Close())
	return b.Bytes(), err
}

// exits CODE COMMAND... runs a command that must exit with the code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		exit, ok := errors.AsType[*exec.ExitError](err)
		if !ok {
			ts.Fatalf("cannot run %s: %v", args[1], err)
		}
		got = exit.ExitCode()
	}
	if got != want {
		ts.Fatalf("%s exits with %d, want %d", strings.Join(args[1:], " "), got, want)
	}
}

// until PATTERN COMMAND... runs a command again and again until its output matches, and
// then once more for what the story makes of it.
func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND...")
	}
	pattern, err := regexp.Compile("(?m)" + args[0])
	ts.Check(err)
	deadline := time.Now().Add(patience)
	for {
		// Not by ts.Exec, which would fill the story's record with every attempt.
		cmd := exec.Command("env", args[1:]...)
		cmd.Dir, cmd.Env = ts.MkAbs("."), environment(ts)
		out, err := cmd.Output()
		if err == nil && pattern.Match(out) {
			break
		}
		if time.Now().After(deadline) {
			ts.Fatalf("%s does not answer with %s within %s (%v), but:\n%s", strings.Join(args[1:], " "), args[0], patience, err, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
	ts.Check(ts.Exec(args[1], args[2:]...))
}

// environment is what commands of a story find, as far as they need it.
func environment(ts *testscript.TestScript) (env []string) {
	for _, name := range []string{"PATH", "HOME", "TZ", "NODEE_PREFIX", "NODEE_CONFIG", "NODEE_ADDR", "NODEE_COORDINATOR"} {
		env = append(env, name+"="+ts.Getenv(name))
	}
	return env
}

// get PATH FILE gets what the daemon answers to a GET with the token, whatever the status.
func get(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: get PATH FILE")
	}
	d := ts.Value(daemonKey{}).(*daemon)
	req, err := http.NewRequestWithContext(context.Background(), http.MethodGet, d.address+args[0], nil)
	ts.Check(err)
	req.Header.Set("Authorization", "Bearer "+d.token())
	res, err := http.DefaultClient.Do(req)
	ts.Check(err)
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o644))
}

// json VAR KEY[.KEY]... sets a variable to what the last output, which is JSON, has there.
func jsonValue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: json VAR KEY[.KEY]...")
	}
	decoder := json.NewDecoder(strings.NewReader(ts.ReadFile("stdout")))
	decoder.UseNumber()
	var value any
	ts.Check(decoder.Decode(&value))
	for key := range strings.SplitSeq(args[1], ".") {
		table, ok := value.(map[string]any)
		if !ok {
			ts.Fatalf("there is no %s in %s", args[1], ts.ReadFile("stdout"))
		}
		value = table[key]
	}
	if value == nil {
		ts.Fatalf("%s is null or missing in %s", args[1], ts.ReadFile("stdout"))
	}
	ts.Setenv(args[0], fmt.Sprint(value))
}

// alive PID checks that a process is there; ! alive PID that it is gone, or about to be reaped.
func alive(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: alive PID")
	}
	stat, err := os.ReadFile("/proc/" + args[0] + "/stat")
	there := err == nil && !strings.Contains(string(stat), ") Z ")
	if there == neg {
		ts.Fatalf("is process %s there? %v", args[0], there)
	}
}
