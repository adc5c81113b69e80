package cli

import (
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/runtime/service"
)

func TestLength(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 0: "0s", 999 * time.Millisecond: "0s", 59 * time.Second: "59s", 60 * time.Second: "1m0s", 192 * time.Second: "3m12s",
		5*time.Hour + 10*time.Minute + 59*time.Second: "5h10m", 51 * time.Hour: "2d3h",
	} {
		if got := length(d); got != want {
			t.Errorf("%v is written %q, want %q", d, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 3565158: "3.4 MiB", 8 << 30: "8.0 GiB", 5 << 50: "5120.0 TiB"} {
		if got := size(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

func TestShortText(t *testing.T) {
	for s, want := range map[string]string{"": "", "exactly10!": "exactly10!", "more than ten": "more than…", "äöüäöüäöüä": "äöüäöüäöüä", "äöüäöüäöüäö": "äöüäöüäöü…"} {
		if got := shortText(s, 10); got != want {
			t.Errorf("%q becomes %q, want %q", s, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	var b strings.Builder
	if err := writeTable(&b, []string{"NAME", "WHY"}, [][]string{{"a", ""}, {"longer", "tab\there"}}); err != nil {
		t.Fatal(err)
	}
	if want := "NAME     WHY\na        -\nlonger   tab here\n"; b.String() != want {
		t.Errorf("the table is\n%s, want\n%s", b.String(), want)
	}
}

func TestProgressLineFits(t *testing.T) {
	got := progressLine("starting 1.a.b.c", 65*time.Second, "installing, "+strings.Repeat("x", 100))
	if !strings.HasPrefix(got, "starting 1.a.b.c (1m5s): installing, xxx") || len([]rune(got)) != 79 {
		t.Errorf("%q has %d characters, want 79", got, len([]rune(got)))
	}
}

func TestCommandText(t *testing.T) {
	s, err := service.Decode([]byte(`{"command":"sh","options":{"b":[1,"two words"],"a":true,"c":false},"args":["-c","it's","","{{.Ports.http}}"],"ports":{"http":1}}`), service.JSON, "")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := commandText(s), `sh --a --b 1 --b 'two words' -c 'it'\''s' '' '{{.Ports.http}}'`; got != want {
		t.Errorf("the command is written %s, want %s", got, want)
	}
}

func TestExitText(t *testing.T) {
	code, signal := 3, "KILL"
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for want, e := range map[string]*service.Exit{
		"none": nil,
		"code 3 (exited), 2026-01-02 03:04:05: it gave up": {Code: &code, At: at, Reason: service.ReasonExited, Why: "it gave up"},
		"signal KILL (killed), 2026-01-02 03:04:05":        {Signal: &signal, At: at, Reason: service.ReasonKilled},
		"unknown (unknown), 2026-01-02 03:04:05":           {At: at, Reason: service.ReasonUnknown},
	} {
		if got := exitText(e); got != want {
			t.Errorf("the exit is written %q, want %q", got, want)
		}
	}
}
