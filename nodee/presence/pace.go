package presence

import "time"

// lane is one of the kinds of things that are written. Each has a share of what may be
// written, so that none can keep another waiting: the status of a service is a few hundred
// bytes, the report of all of them fifty thousand.
type lane int

const (
	statuses lane = iota // Cloudname's, and what is looked at
	record               // the node's own
	report
	lanes
)

// Bounds of what is written: at most four requests that write a second, and 50 kB; what the protocol
// adds, and the pings, fill up the difference.
const (
	bytesPerSecond = 45_000
	gap            = 250 * time.Millisecond
)

// shares are what each lane may write in a second when all of them have something to write.
// While 50 of a node's 200 services crash in a loop that is each status, and the record, within
// a second, and a report of forty-four thousand bytes every six.
var shares = [lanes]int{statuses: 25_000, record: 12_000, report: 8_000}

// pace says when each lane may write. What was written is a debt, which is paid off with
// time: a lane may go when its own share has paid for what it has written, or when all that
// was written is paid for, so that what the others leave is used. It may go a gap before: else
// it would wait a gap longer whenever another one goes just before it. Over any time no more
// is written than bytesPerSecond, one batch, and what one gap pays for.
type pace struct {
	last time.Time        // of the last request that writes
	all  time.Time        // when all that was written is paid for
	own  [lanes]time.Time // when what a lane has written is paid for out of its share
}

// opens returns from when on a lane may write.
func (p *pace) opens(l lane) time.Time { return later(p.affords(l), p.last.Add(gap)) }

// affords returns from when on a lane may send anything.
func (p *pace) affords(l lane) time.Time {
	at := p.own[l]
	if p.all.Before(at) {
		at = p.all
	}
	return at.Add(-gap)
}

// may tells whether a lane may write now.
func (p *pace) may(l lane, now time.Time) bool { return !now.Before(p.opens(l)) }

// wrote notes that a request is sent that writes so many bytes of each lane.
func (p *pace) wrote(bytes [lanes]int, now time.Time) {
	p.last = now
	p.spend(bytes, now)
}

// spend notes that so many bytes of each lane are sent.
func (p *pace) spend(bytes [lanes]int, now time.Time) {
	if !p.all.After(now) {
		p.own = [lanes]time.Time{} // nobody waits any more for what is paid for
	}
	for l, n := range bytes {
		p.own[l] = later(p.own[l], now).Add(time.Duration(n) * time.Second / time.Duration(shares[l]))
		p.all = later(p.all, now).Add(time.Duration(n) * time.Second / bytesPerSecond)
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
