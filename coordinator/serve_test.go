package coordinator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/keeper/memory"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/internal/settings"
)

// served starts a coordinator with HTTP, in real time.
func served(t *testing.T, k *memory.Keeper) *Coordinator {
	t.Helper()
	s := settings.Default()
	s.Prefix, s.Node.Name, s.Node.Advertise, s.Coordinator.Addr = t.TempDir(), "c1", "c1.example.com", "127.0.0.1:0"
	c, err := New(t.Context(), Config{Settings: s, Version: "test", Log: slog.New(slog.DiscardHandler), Keeper: k})
	if err != nil {
		t.Fatal(err)
	}
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context())) // it is ended by the cleanup
	ended := make(chan error)
	go func() { ended <- errors.Join(c.Run(ctx), c.Close()) }()
	t.Cleanup(func() {
		end()
		if err := <-ended; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	if err := c.AwaitServing(t.Context()); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *Coordinator) get(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.Get(c.Address() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestItIsServed(t *testing.T) {
	c := served(t, memory.New().Keeper(10*time.Second))
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/healthz": `"ok"`, "/readyz": `"ok"`, "/v1/jobs": `{"jobs":[]}`, "/v1/nodes": `{"nodes":[]}`, "/v1/events": `{"events":[`, "/openapi.json": `"/v1/jobs/{job}"`,
	} {
		if code, body := c.get(t, path); code != http.StatusOK || !strings.Contains(body, want) {
			t.Errorf("GET %s: %d, %.300s; want %s", path, code, body, want)
		}
	}
	said, err := os.ReadFile(prefix.AddressFile(c.cfg.Settings.Prefix, prefix.Coordinator))
	if err != nil || strings.TrimSpace(string(said)) != c.Address() {
		t.Errorf("the prefix says that it is at %q, %v; want %s", said, err, c.Address())
	}
	_, body := c.get(t, "/v1/cell")
	var cell api.Cell
	if err := json.Unmarshal([]byte(body), &cell); err != nil || !strings.HasPrefix(cell.Coordinator.HTTP, "http://c1.example.com:") {
		t.Errorf("the cell is %+v, %v; want the advertised name", cell, err)
	}
	r, err := http.Post(c.Address()+"/v1/jobs/web.borud.fbu/stop", "application/json", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusUnauthorized {
		t.Errorf("a change without the token: %d; want 401", r.StatusCode)
	}
}

func TestMetrics(t *testing.T) {
	c := served(t, memory.New().Keeper(10*time.Second))
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		`nodee_leader 1`, `nodee_placements_total 0`, `nodee_plan_duration_seconds_count [1-9]`, `nodee_nodes{status="ready"} 0`, `nodee_nodes{status="away"} 0`,
		`nodee_zookeeper_session 1`, `nodee_build_info{go=".*",version="test"} 1`, `nodee_http_request_duration_seconds_count{code="200",method="GET",route="/metrics"} [1-9]`,
		`go_goroutines [0-9]+`, `process_open_fds [0-9]+`,
	}
	deadline := time.Now().Add(20 * time.Second)
	for {
		code, body := c.get(t, "/metrics")
		var missing []string
		for _, line := range want {
			if !regexp.MustCompile(`(?m)^` + line).MatchString(body) {
				missing = append(missing, line)
			}
		}
		if code == http.StatusOK && len(missing) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d, without %q:\n%s", code, missing, body)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// A coordinator that cannot reach ZooKeeper is alive, and not ready.
func TestNotReady(t *testing.T) {
	k := memory.New().Keeper(10 * time.Second)
	k.Cut()
	c := served(t, k)
	if code, _ := c.get(t, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz: %d", code)
	}
	if code, body := c.get(t, "/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "not read everything") {
		t.Errorf("/readyz: %d, %s", code, body)
	}
	if _, err := c.Book(); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("Book = %v; want that there is no session", err)
	}
}

// Without ZooKeeper it goes on telling what it knew, and since when that may not be so any more.
func TestAnswersThatAreOutOfDate(t *testing.T) {
	k := memory.New().Keeper(10 * time.Second)
	c := served(t, k)
	if err := c.AwaitReady(t.Context()); err != nil {
		t.Fatal(err)
	}
	asOf := func() string {
		r, err := http.Get(c.Address() + "/v1/jobs")
		if err != nil {
			t.Fatal(err)
		}
		defer r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Fatalf("GET /v1/jobs: %s", r.Status)
		}
		return r.Header.Get(api.AsOfHeader)
	}
	if got := asOf(); got != "" {
		t.Errorf("connected, an answer is as of %s", got)
	}
	k.Cut()
	await := time.Now().Add(20 * time.Second)
	for asOf() == "" && time.Now().Before(await) {
		time.Sleep(10 * time.Millisecond)
	}
	if at, err := time.Parse(time.RFC3339, asOf()); err != nil || time.Since(at) > time.Minute {
		t.Errorf("cut off, an answer is as of %q; want a time of the last minute", asOf())
	}
	if code, body := c.post(t, "/v1/jobs/web.borud.fbu/stop"); code != http.StatusServiceUnavailable || !strings.Contains(body, "ZooKeeper cannot be reached") || strings.Contains(body, "cannot check") {
		t.Errorf("a change: %d, %s", code, body)
	}
}

// post asks for a change, with the token.
func (c *Coordinator) post(t *testing.T, path string) (int, string) {
	t.Helper()
	r, err := http.NewRequest(http.MethodPost, c.Address()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+c.prefix.Token)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(body)
}

func TestWithoutServers(t *testing.T) {
	s := settings.Default()
	s.Prefix = t.TempDir()
	_, err := New(t.Context(), Config{Settings: s, Log: slog.New(slog.DiscardHandler)})
	if fields := fault.FieldsOf(err); len(fields) != 1 || fields[0].Location != "zookeeper.servers" {
		t.Errorf("New = %v; want zookeeper.servers named", err)
	}
}
