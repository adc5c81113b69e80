package rest_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/service"
)

const logPath = webPath + "/logs"

// written makes a node with a service that has written something.
func written(t *testing.T) face {
	t.Helper()
	f := newFace(t)
	f.put(t)
	f.Say(t, web, "stdout", "one\ntwo\r\nthree\n")
	f.Say(t, web, "stderr", "oops\n")
	return f
}

func TestLogsAsText(t *testing.T) {
	f := written(t)
	for query, want := range map[string]struct{ begin, text string }{
		"":                        {"0", "one\ntwo\r\nthree\n"},
		"?stream=stdout":          {"0", "one\ntwo\r\nthree\n"},
		"?stream=stderr":          {"0", "oops\n"},
		"?tail=1":                 {"9", "three\n"},
		"?tail=2&follow=false":    {"4", "two\r\nthree\n"},
		"?tail=100":               {"0", "one\ntwo\r\nthree\n"},
		"?tail=0":                 {"15", ""},
		"?offset=0":               {"0", "one\ntwo\r\nthree\n"},
		"?offset=10":              {"10", "hree\n"},
		"?offset=15":              {"15", ""},
		"?offset=16":              {"0", "one\ntwo\r\nthree\n"}, // of a log that was longer once
		"?stream=stderr&offset=1": {"1", "ops\n"},
		"?since=10m":              {"0", "one\ntwo\r\nthree\n"}, // nobody knows when it was written
		"?since=10m&tail=1":       {"9", "three\n"},
		"?since=2026-11-21T13:00:00%2B01:00&tail=2": {"4", "two\r\nthree\n"},
	} {
		res := f.send(t, "GET", logPath+query, "")
		if res.StatusCode != 200 || res.text != want.text || res.Header.Get("Nodee-Log-Offset") != want.begin {
			t.Errorf("%q: %d %q from %s, want %q from %s", query, res.StatusCode, res.text, res.Header.Get("Nodee-Log-Offset"), want.text, want.begin)
		}
		if ct := res.Header.Get("Content-Type"); !strings.HasPrefix(ct, "text/plain") {
			t.Errorf("%q: content type %q", query, ct)
		}
	}
}

func TestLogsRefuseWhatIsWrong(t *testing.T) {
	f := written(t)
	for query, where := range map[string]string{
		"stream=stdin": "query.stream", "tail=x": "query.tail", "tail=-1": "query.tail", "offset=-1": "query.offset",
		"offset=1.5": "query.offset", "tail=1&offset=1": "query.offset", "since=1h&offset=1": "query.offset", "follow=perhaps": "query.follow",
		"since=yesterday": "query.since", "since=-10m": "query.since",
	} {
		faulty(t, f.send(t, "GET", logPath+"?"+query, ""), where)
		faulty(t, f.send(t, "GET", logPath+"?"+query, "", "Accept", "text/event-stream"), where)
	}
	for _, id := range []string{"x", "stdout", "stdout:", "stdout:-1", "stderr:3", "3"} {
		faulty(t, f.send(t, "GET", logPath, "", "Accept", "text/event-stream", "Last-Event-ID", id), "header.Last-Event-ID")
	}
}

func TestALogThatWasNeverWrittenIsEmpty(t *testing.T) {
	f := newFace(t)
	f.put(t)
	for _, query := range []string{"", "?tail=10", "?offset=0", "?stream=stderr"} {
		if res := f.send(t, "GET", logPath+query, ""); res.StatusCode != 200 || res.text != "" || res.Header.Get("Nodee-Log-Offset") != "0" {
			t.Errorf("%q: %d %q %v", query, res.StatusCode, res.text, res.Header)
		}
	}
}

func TestLogsAsEvents(t *testing.T) {
	f := written(t)
	f.Say(t, web, "stdout", "> ")
	for _, tt := range []struct {
		query, resume string
		want          []string
	}{
		{"", "", []string{"id: stdout:4 | data: one", "id: stdout:9 | data: two", "id: stdout:15 | data: three", "id: stdout:17 | event: partial | data: > "}},
		{"?tail=2", "", []string{"id: stdout:15 | data: three", "id: stdout:17 | event: partial | data: > "}},
		{"?tail=100", "stdout:9", []string{"id: stdout:15 | data: three", "id: stdout:17 | event: partial | data: > "}},
		{"?stream=stderr", "", []string{"id: stderr:5 | data: oops"}},
		{"?stream=stderr", "stderr:5", nil},
		{"?stream=stderr&offset=99", "", []string{
			"id: stderr:0 | event: notice | data: the service truncated its log: reading goes on from the start of what is there now",
			"id: stderr:5 | data: oops",
		}},
	} {
		next := f.live(t, logPath+tt.query, "Last-Event-ID", tt.resume)
		for _, want := range append(tt.want, "") { // and then the end
			if got := next(); got != want {
				t.Errorf("%q %q: %q, want %q", tt.query, tt.resume, got, want)
			}
		}
	}
}

func TestFollowText(t *testing.T) {
	f := written(t)
	res := f.open(t, "GET", logPath+"?tail=1&follow=true", "")
	defer res.Body.Close()
	lines := bufio.NewReader(res.Body)
	read := func(want string) {
		t.Helper()
		if got, err := lines.ReadString('\n'); got != want || err != nil {
			t.Fatalf("%q, %v, want %q", got, err, want)
		}
	}
	read("three\n")
	f.Say(t, web, "stdout", "four\n")
	read("four\n")
	f.Happen(web, service.EventExited, "a restart ends nothing")
	f.Happen(other, service.EventRemoved, "nor does the end of another")
	f.Say(t, web, "stdout", "five\n")
	read("five\n")
}

func TestFollowEvents(t *testing.T) {
	f := newFace(t)
	f.put(t)
	next := f.live(t, logPath+"?follow=true") // before there is a log
	f.Say(t, web, "stdout", "one\ntwo\n")
	for _, want := range []string{"id: stdout:4 | data: one", "id: stdout:8 | data: two"} {
		if got := next(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// What a service has written before its removal comes, also when nobody had the time to
// look for it.
func TestFollowingEndsWithTheService(t *testing.T) {
	for _, accept := range []string{"text/plain", "text/event-stream"} {
		f := written(t)
		res := f.open(t, "GET", logPath+"?follow=true&tail=0", "", "Accept", accept)
		f.Say(t, web, "stdout", "last words\n")
		f.ask(t, "DELETE", webPath, "")
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || !strings.Contains(string(text), "last words\n") || strings.Count(string(text), "last words") != 1 {
			t.Errorf("%s: %q, %v", accept, text, err)
		}
	}
}

func TestHeadOfALog(t *testing.T) {
	f := written(t)
	res := f.send(t, http.MethodHead, logPath+"?tail=1&follow=true", "")
	if res.StatusCode != 200 || res.text != "" || res.Header.Get("Nodee-Log-Offset") != "9" {
		t.Errorf("%d %q %v", res.StatusCode, res.text, res.Header)
	}
}
