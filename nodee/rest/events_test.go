package rest_test

import (
	"bufio"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/nodee/rest/resttest"
	"github.com/cloudname/nodee/runtime/service"
)

var other = service.Coordinate{Instance: 2, Service: "web", User: "borud", Cell: "fbu"}

// live opens an event stream, and returns what reads its next frame: the lines up to an
// empty one, joined by " | ", and "" at its end.
func (f face) live(t *testing.T, path string, header ...string) func() string {
	t.Helper()
	res := f.open(t, "GET", path, "", append([]string{"Accept", "text/event-stream"}, header...)...)
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || ct != "text/event-stream" {
		t.Fatalf("%s: %d %q", path, res.StatusCode, ct)
	}
	lines := bufio.NewScanner(res.Body)
	return func() string {
		var frame []string
		for lines.Scan() && lines.Text() != "" {
			frame = append(frame, lines.Text())
		}
		return strings.Join(frame, " | ")
	}
}

// whys returns the words of events, which tests tell them apart by.
func whys(events []service.Event) string {
	var all []string
	for _, e := range events {
		all = append(all, e.Why)
	}
	return strings.Join(all, " ")
}

// history makes a node with a service of each coordinate and some events.
func withHistory(t *testing.T) face {
	t.Helper()
	f := newFace(t)
	for _, c := range []service.Coordinate{web, other} { // events 1 and 2
		if res := f.ask(t, "PUT", "/v1/services/"+c.String(), webSpec); res.StatusCode != 201 {
			t.Fatal(res.text)
		}
	}
	f.Happen(web, service.EventStarted, "three")
	f.Happen(other, service.EventStarted, "four")
	f.Happen(web, service.EventExited, "five")
	return f
}

func TestEventsOnce(t *testing.T) {
	f := withHistory(t)
	for path, want := range map[string]string{
		"/v1/events?since=2":                 "three four five",
		"/v1/events?limit=2":                 "four five",
		"/v1/events?since=2&limit=1":         "five",
		"/v1/events?since=5":                 "",
		"/v1/events?since=99":                "",
		webPath + "/events?since=2":          "three five",
		webPath + "/events?limit=1":          "five",
		webPath + "/events?since=3&limit=70": "five",
	} {
		if got := is[api.Events](t, f.send(t, "GET", path, ""), 200); whys(got.Events) != want {
			t.Errorf("%s: %q, want %q", path, whys(got.Events), want)
		}
	}
	if got := is[api.Events](t, f.send(t, "GET", "/v1/events", ""), 200); len(got.Events) != 5 || got.Events[0].Seq != 1 {
		t.Errorf("all: %+v", got)
	}
	if res := newFace(t).send(t, "GET", "/v1/events", ""); res.text != `{"events":[]}`+"\n" {
		t.Errorf("none: %s", res.text)
	}
	for query, where := range map[string]string{"since=x": "query.since", "since=-1": "query.since", "limit=0": "query.limit", "limit=x": "query.limit"} {
		faulty(t, f.send(t, "GET", "/v1/events?"+query, ""), where)
		faulty(t, f.send(t, "GET", webPath+"/events?"+query, "", "Accept", "text/event-stream"), where)
	}
}

func TestEventsLive(t *testing.T) {
	f := withHistory(t)
	for _, tt := range []struct {
		path   string
		header []string
		want   []string // the whys of the events that come, "six" after the stream has begun
	}{
		{"/v1/events", nil, []string{"six", "seven"}},
		{"/v1/events?since=4", nil, []string{"five", "six", "seven"}},
		{"/v1/events?since=0", []string{"Last-Event-ID", "4"}, []string{"five", "six", "seven"}},
		{"/v1/events", []string{"Last-Event-ID", "3"}, []string{"four", "five", "six", "seven"}},
		{webPath + "/events", []string{"Last-Event-ID", "3"}, []string{"five", "seven"}},
		{webPath + "/events", nil, []string{"seven"}},
	} {
		f := withHistory(t)
		next := f.live(t, tt.path, tt.header...)
		f.Happen(other, service.EventStarted, "six")
		f.Happen(web, service.EventStarted, "seven")
		for _, want := range tt.want {
			id, data, _ := strings.Cut(strings.TrimPrefix(next(), "id: "), " | data: ")
			var e service.Event
			if err := json.Unmarshal([]byte(data), &e); err != nil || e.Why != want || id != jsonOf(e.Seq) {
				t.Fatalf("%s %v: id %q, %q, %v; want %s", tt.path, tt.header, id, data, err, want)
			}
		}
	}
	for _, id := range []string{"x", "-1", "stdout:3"} {
		faulty(t, f.send(t, "GET", "/v1/events", "", "Accept", "text/event-stream", "Last-Event-ID", id), "header.Last-Event-ID")
	}
}

// A quiet service's events are kept longer than those of the whole node.
func TestEventsOfAServiceReachFartherBack(t *testing.T) {
	f := withHistory(t)
	f.Outgrow(5)
	if got := is[api.Events](t, f.send(t, "GET", webPath+"/events", ""), 200); len(got.Events) != 3 {
		t.Errorf("once: %+v", got)
	}
	next := f.live(t, webPath+"/events?since=1")
	f.Happen(web, service.EventStarted, "six")
	for _, want := range []string{"id: 3 ", "id: 5 ", "id: 6 "} {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

// Who has seen events of a prefix that is gone would wait for ever for the numbers to rise.
func TestEventsOfAnotherHistory(t *testing.T) {
	f := withHistory(t)
	next := f.live(t, "/v1/events", "Last-Event-ID", "70")
	for _, want := range []string{"id: 1 ", "id: 2 ", "id: 3 "} {
		if got := next(); !strings.HasPrefix(got, want) {
			t.Errorf("%s, want %s", got, want)
		}
	}
}

func TestManyEventsComeInOrder(t *testing.T) {
	f := newFace(t)
	next := f.live(t, "/v1/events?since=0")
	for range 1000 {
		f.Happen(web, service.EventStarted, "again")
	}
	for seq := range 1000 {
		if got, want := next(), "id: "+jsonOf(seq+1)+" |"; !strings.HasPrefix(got, want) {
			t.Fatalf("%s, want %s", got, want)
		}
	}
}

func TestEventsOfAServiceEndWithIt(t *testing.T) {
	f := withHistory(t)
	next := f.live(t, webPath+"/events")
	f.ask(t, "DELETE", "/v1/services/"+other.String(), "")
	f.ask(t, "DELETE", webPath, "")
	if got := next(); !strings.Contains(got, `"type":"removed"`) {
		t.Errorf("%q, want the event of its removal", got)
	}
	if got := next(); got != "" {
		t.Errorf("%q, want the end", got)
	}

	f.put(t) // again: its earlier end is not that of this one
	next = f.live(t, webPath+"/events?since=5")
	f.Happen(web, service.EventStarted, "anew")
	var got []string
	for range 3 {
		got = append(got, next())
	}
	if !strings.Contains(got[0], "removed") || !strings.Contains(got[1], "desired") || !strings.Contains(got[2], "anew") {
		t.Errorf("got %q", got)
	}
}

func TestAStreamOfEventsNeedsWhatItsRouteNeeds(t *testing.T) {
	n := resttest.NewNode(t)
	f := face{n, resttest.Serve(t, n, "read")}
	for _, path := range []string{"/v1/events", webPath + "/events", webPath + "/logs"} {
		refused(t, f.send(t, "GET", path, "", "Accept", "text/event-stream"), 401, "unauthenticated")
	}
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// The history of one service is asked for by its coordinate; its events say the same.
func TestEventsHaveTheirKeys(t *testing.T) {
	f := withHistory(t)
	var got struct{ Events []map[string]any }
	if err := json.Unmarshal([]byte(f.send(t, http.MethodGet, webPath+"/events?since=4", "").text), &got); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for key := range got.Events[0] {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	if want := "at code coordinate generation pid seq signal type why"; strings.Join(keys, " ") != want {
		t.Errorf("keys %q, want %q", keys, want)
	}
}

func TestWhy(t *testing.T) {
	f := newFace(t)
	f.put(t)
	f.Happen(web, service.EventStarted, "so")
	got := is[api.Why](t, f.ask(t, "GET", "/v1/why/"+web.String(), ""), 200)
	if len(got.Why) != 2 || got.Why[0].Because != "so" || got.Why[1].What != "desired" {
		t.Errorf("%+v", got)
	}
	refused(t, f.ask(t, "GET", "/v1/why/"+other.String(), ""), 404, "no-such-service")
}
