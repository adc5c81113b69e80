package quantity

import (
	"fmt"
	"time"
)

// Moment is a point in time, written as how long ago it was ("10m") or as RFC 3339
// ("2026-11-21T13:00:00Z"). The zero Moment is no point in time.
type Moment struct {
	ago Duration
	at  time.Time
	set bool
}

// ParseMoment reads a moment.
func ParseMoment(s string) (Moment, error) {
	if at, err := time.Parse(time.RFC3339, s); err == nil {
		return Moment{at: at, set: true}, nil
	}
	ago, err := ParseDuration(s)
	if err != nil {
		return Moment{}, fmt.Errorf(`%q is neither a length of time before now, such as "10m", nor a time such as "2026-11-21T13:00:00Z"`, s)
	}
	return Moment{ago: ago, set: true}, nil
}

// Given tells whether m is a point in time at all.
func (m Moment) Given() bool { return m.set }

// Time returns the point in time.
func (m Moment) Time(now time.Time) time.Time {
	if m.at.IsZero() {
		return now.Add(-m.ago.Std())
	}
	return m.at
}

// String writes m as it is read.
func (m Moment) String() string {
	switch {
	case !m.set:
		return ""
	case m.at.IsZero():
		return m.ago.String()
	}
	return m.at.Format(time.RFC3339Nano)
}

// MarshalText writes m.
func (m Moment) MarshalText() ([]byte, error) { return []byte(m.String()), nil }

// UnmarshalText reads m.
func (m *Moment) UnmarshalText(b []byte) (err error) {
	*m, err = ParseMoment(string(b))
	return err
}
