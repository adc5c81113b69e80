package cli

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

func TestStory(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	before := func(d time.Duration) *time.Time { at := now.Add(-d); return &at }
	code, kill, ill := 3, "KILL", false
	wish := api.Cause{At: *before(time.Hour), What: "a restart was asked for: desired is running", By: "root with curl"}
	limited := service.Spec{Restart: service.DefaultRestart()}
	limited.Restart.Max, limited.Restart.Window = 5, quantity.Duration(time.Minute)
	for _, tt := range []struct {
		name    string
		service api.Service
		chain   []api.Cause
		want    []string
	}{
		{"running", api.Service{State: "running", Desired: "running", StartedAt: before(3*time.Minute + 2*time.Second), Restarts: 2, Healthy: &ill, Spec: &limited,
			LastExit: &service.Exit{Code: &code, At: *before(4 * time.Minute), Reason: service.ReasonExited}}, []api.Cause{{At: *before(time.Minute)}, wish},
			[]string{"It has run for 3m2s, since " + clock(*before(3*time.Minute + 2*time.Second)) + ", but is not healthy.",
				"That goes back to 1h0m ago, when a restart was asked for: desired is running, by root with curl.",
				"It was restarted 2 times since the last start that was asked for. Its process ended the last time 4m0s ago: code 3, by itself.",
				"It is restarted when it ends, 2 of at most 5 times used within 1m."}},
		{"waiting", api.Service{Coordinate: "1.a.b.c", State: "backoff", Desired: "running", NextTryAt: before(-12 * time.Second)}, []api.Cause{{At: *before(time.Second)}, {}},
			[]string{"It is backoff since " + clock(*before(time.Second)) + ", 1s ago.",
				"It is tried again in 12s, at " + clock(*before(-12 * time.Second)) + "; to try at once: nodee service start 1.a.b.c."}},
		{"failed", api.Service{Coordinate: "1.a.b.c", State: "failed", Desired: "running"}, nil,
			[]string{"Nothing more is tried. To try again: nodee service start 1.a.b.c; its log: nodee service logs 1.a.b.c --stream stderr --tail 20."}},
		{"finished", api.Service{State: "stopped", Desired: "running"}, nil,
			[]string{"It has finished, and is not started again until somebody asks for it."}},
		{"kept from running", api.Service{State: "stopped", Desired: "running", Why: api.NodeDrained + ": a new disk, since then; nodee resume lifts that"}, nil,
			[]string{"The drain of the node keeps it from running."}},
		{"a job's", api.Service{State: "failed", Desired: "running", Owner: "job:a.b.c"}, nil,
			[]string{"Its job says what comes next: nodee job status a.b.c."}},
		{"stopped", api.Service{Coordinate: "1.a.b.c", State: "stopped", Desired: "stopped",
			LastExit: &service.Exit{Signal: &kill, At: *before(time.Second), Reason: service.ReasonStop}}, nil,
			[]string{"Its process ended the last time 1s ago: signal KILL, as it was told to stop.",
				"It stays so, also after a reboot, until it is started: nodee service start 1.a.b.c."}},
	} {
		if got := story(tt.service, tt.chain, now); !slices.Equal(got, tt.want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
		}
	}
}

func TestWhyRows(t *testing.T) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	rows := whyRows([]api.Cause{
		{At: now, What: "it is in backoff", Because: "exited with 1; restart 1 in 1s"},
		{At: now.Add(-time.Second), What: "its process exited with 1", Because: "it was told to stop"},
		{At: now.Add(-time.Minute), What: "it was told to stop", By: "me"},
	}, now)
	for i, want := range []string{"0s ago it is in backoff: exited with 1; restart 1 in 1s", "1s ago because its process exited with 1", "1m0s ago because it was told to stop, by me"} {
		if got := strings.Join(rows[i][1:], " "); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
