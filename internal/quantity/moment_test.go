package quantity

import (
	"testing"
	"time"
)

func TestMoments(t *testing.T) {
	now := time.Date(2026, 11, 21, 13, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Time{
		"10m":                       now.Add(-10 * time.Minute),
		"0s":                        now,
		"1h30m":                     now.Add(-90 * time.Minute),
		"2026-11-21T12:00:00Z":      now.Add(-time.Hour),
		"2026-11-21T14:30:00+02:00": now.Add(-30 * time.Minute),
		"2026-11-21T12:00:00.5Z":    now.Add(-time.Hour + time.Second/2),
	} {
		m, err := ParseMoment(text)
		if err != nil || !m.Given() || !m.Time(now).Equal(want) {
			t.Errorf("%q is %v, %v; want %v", text, m.Time(now), err, want)
		}
		again, err := ParseMoment(m.String())
		if err != nil || !again.Time(now).Equal(want) {
			t.Errorf("%q is written as %q, which is %v, %v", text, m, again.Time(now), err)
		}
	}
	for _, text := range []string{"", "10", "-10m", "yesterday", "2026-11-21", "2026-11-21 12:00:00", "2026-13-21T12:00:00Z"} {
		if m, err := ParseMoment(text); err == nil || m.Given() {
			t.Errorf("%q is %v", text, m)
		}
	}
}
