package e2e

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
	"github.com/cloudname/nodee/test/s3"
)

// Saved state, a file from a web server and a filled-in text are there when the service starts;
// what the service makes of them since is its own.
func TestARuntimeDirectoryIsFilled(t *testing.T) {
	bucket := s3.Start(t)
	bucket.Put(t, "state.tar.gz", string(unpacktest.Gz(t, unpacktest.Tar(t, unpacktest.Entry{Name: "journal", Body: "saved\n"}))))
	away, seen := atomic.Bool{}, make(chan struct{})
	away.Store(true)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if away.Load() {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		select {
		case <-seen:
		case <-r.Context().Done():
		}
		fmt.Fprintln(w, "from the web")
	}))
	t.Cleanup(web.Close)
	credentials := filepath.Join(t.TempDir(), "credentials")
	keys := "[default]\naws_access_key_id = " + s3.AccessKey + "\naws_secret_access_key = " + s3.SecretKey + "\n"
	if err := os.WriteFile(credentials, []byte(keys), 0o600); err != nil {
		t.Fatal(err)
	}
	n := start(t, "--s3-endpoint", bucket.Endpoint, "--s3-credentials-file", credentials)
	spec := `{"command":"sh","args":["-c","cat conf/app data/journal web; echo more >> data/journal; exec sleep 1000"],
		"ports":{"http":0},"env":{"KEY":"hunter2"},"restart":{"base":"50ms","cap":"50ms"},"files":[
		{"path":"conf/app","text":"{{.Coordinate}} {{.Env.KEY}}\n","template":true,"mode":"0600"},
		{"path":"data","source":"s3://bucket/state.tar.gz","unpack":true},
		{"path":"web","source":"` + web.URL + `/x","overwrite":true}]}`
	const name = "1.filled.e2e.test"
	n.wish(name, spec)
	n.until("it waits for the web server", func() error {
		if s := n.service(name); s.State != "backoff" || !strings.Contains(s.Why, "cannot make web for the runtime directory: its source answered 503") {
			return fmt.Errorf("%s: %s", s.State, s.Why)
		}
		return nil
	})
	s := n.service(name)
	if _, err := os.Lstat(filepath.Join(s.RuntimeDir, "conf")); err == nil {
		t.Error("a part of its files was put, without the rest")
	}
	away.Store(false)
	n.until("it is said what is fetched", func() error {
		if s := n.service(name); s.State != "preparing" || !strings.Contains(s.Why, "it fetches web from "+web.URL+"/x") {
			return fmt.Errorf("%s: %s", s.State, s.Why)
		}
		return nil
	})
	close(seen)
	n.in(name, "running")
	n.says(name, name+" hunter2\nsaved\nfrom the web\n")

	bucket.Stop() // what is there already needs no source
	if _, err := n.client.CommandService(t.Context(), coordinate(t, name), client.Restart, client.Wait(limit)); err != nil {
		t.Fatal(err)
	}
	n.says(name, name+" hunter2\nsaved\nfrom the web\n"+name+" hunter2\nsaved\nmore\nfrom the web\n")

	wrong := strings.Replace(spec, `"overwrite":true`, `"overwrite":true,"sha256":"`+strings.Repeat("0", 64)+`"`, 1)
	if s := n.put(name, wrong); s.State != "failed" || !strings.Contains(s.Why, "the digest differs") {
		t.Errorf("with a wrong digest: %s, %s", s.State, s.Why)
	}
	if b, err := os.ReadFile(filepath.Join(s.RuntimeDir, "web")); err != nil || string(b) != "from the web\n" {
		t.Errorf("after that the file is %q, %v", b, err)
	}
}

// says waits until a service's output is what it should be.
func (n *node) says(name, want string) {
	n.t.Helper()
	n.until("the output is there", func() error {
		if out := n.output(name); out != want {
			return fmt.Errorf("it is %q, want %q", out, want)
		}
		return nil
	})
}

// The daemon is killed again and again while it puts the files of a service: each is whole
// whenever anybody looks, and in the end all are the ones that were asked for last.
func TestKillsWhileFilesArePut(t *testing.T) {
	n := start(t)
	const name, kills, files, size = "1.killed.e2e.test", 15, 8, 64 << 10
	spec := func(round int) string {
		var list []string
		for i := range files {
			list = append(list, fmt.Sprintf(`{"path":"d/%d","text":"%s","overwrite":true}`, i, strings.Repeat(fmt.Sprint(round%10), size)))
		}
		return `{"command":"sleep","args":["1000"],"stop":{"grace":"1s"},"files":[` + strings.Join(list, ",") + `]}`
	}
	n.put(name, spec(0))
	dir := n.service(name).RuntimeDir
	for round := 1; round <= kills; round++ {
		n.wish(name, spec(round))
		time.Sleep(time.Duration(rand.IntN(40)) * time.Millisecond)
		n.kill()
		for i := range files {
			b, err := os.ReadFile(filepath.Join(dir, "d", fmt.Sprint(i)))
			if err != nil || len(b) != size || strings.Trim(string(b), string(b[0])) != "" {
				t.Fatalf("round %d: file %d has %d bytes that begin with %.10q, %v", round, i, len(b), b, err)
			}
		}
		n.up()
	}
	n.until("the last files are there", func() error {
		if s := n.service(name); s.State != "running" || s.ObservedGeneration != s.Generation {
			return fmt.Errorf("it is %s: %s", s.State, s.Why)
		}
		for i := range files {
			b, err := os.ReadFile(filepath.Join(dir, "d", fmt.Sprint(i)))
			if err != nil || string(b) != strings.Repeat(fmt.Sprint(kills%10), size) {
				return fmt.Errorf("file %d begins with %.10q, %v", i, b, err)
			}
		}
		return nil
	})
	if left, err := os.ReadDir(filepath.Join(n.prefix, "runtime", ".staging")); err == nil && len(left) > 0 {
		t.Errorf("the staging folder holds %v", left)
	}
}
