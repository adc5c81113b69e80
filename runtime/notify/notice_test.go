package notify

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestParse(t *testing.T) {
	text := func(s string) *string { return &s }
	for message, want := range map[string]Notice{
		"READY=1": {Ready: true},
		"READY=1\nSTATUS=Serving = well\nMAINPID=12\n": {Ready: true, Status: text("Serving = well")},
		"RELOADING=1\nMONOTONIC_USEC=123":              {Reloading: true},
		"STOPPING=1":                                   {Stopping: true},
		"WATCHDOG=1":                                   {Alive: true},
		"WATCHDOG=trigger":                             {Dead: true},
		"WATCHDOG_USEC=1500000":                        {Watchdog: 1500 * time.Millisecond},
		"EXTEND_TIMEOUT_USEC=2000000":                  {Extend: 2 * time.Second},
		"STATUS=":                                      {Status: text("")},
		"STATUS=a\tb\x1b[31mred\xff":                   {Status: text("a b [31mred\uFFFD")},
		"FDSTORE=1\nBARRIER=1\nX_MINE=1\nREADY":        {},
		"READY=0\nSTOPPING=no\nWATCHDOG=2":             {},
		"WATCHDOG_USEC=0\nEXTEND_TIMEOUT_USEC=-1\nWATCHDOG_USEC=999999999999999999999": {},
		"": {},
	} {
		got := Parse([]byte(message))
		same := (got.Status == nil) == (want.Status == nil) && (got.Status == nil || *got.Status == *want.Status)
		got.Status, want.Status = nil, nil
		if got != want || !same {
			t.Errorf("%q is read as %+v, want %+v", message, got, want)
		}
	}
	long := Parse([]byte("STATUS=" + strings.Repeat("é", 3000)))
	if n := utf8.RuneCountInString(*long.Status); n != maxStatus {
		t.Errorf("a long status is kept with %d characters, want %d", n, maxStatus)
	}
}

func TestLaterNoticesWin(t *testing.T) {
	one, two := Parse([]byte("READY=1\nSTATUS=a\nRELOADING=1")), Parse([]byte("READY=1\nSTATUS=b"))
	if n := one.Then(two); n.Reloading || !n.Ready || *n.Status != "b" {
		t.Errorf("reloaded, and then: %+v", n)
	}
	if n := two.Then(one); !n.Reloading || *n.Status != "a" {
		t.Errorf("reloading: %+v", n)
	}
	if n := one.Then(Notice{}); n.Status == nil || !n.Reloading || !n.Ready {
		t.Errorf("nothing more: %+v", n)
	}
}

// Whatever the bytes: what is shown is text, on one line.
func TestParseTakesAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := Parse(append([]byte("STATUS="), rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")...))
		if n.Status == nil || !utf8.ValidString(*n.Status) || strings.ContainsAny(*n.Status, "\x00\x1b\r\n\x7f") {
			t.Fatalf("shown as %q", *n.Status)
		}
	})
}
