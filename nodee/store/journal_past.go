package store

import (
	"cmp"
	"slices"
	"sort"

	"github.com/cloudname/nodee/runtime/service"
)

// past is the history in memory: the last events of the node, and the last of each service.
// An event that is in both is there once. Events are never changed.
type past struct {
	recent   ring
	each     int
	services map[string]*story
}

// story is what is known of one service.
type story struct {
	events  []*service.Event
	removed bool // the last thing that happened
}

func newPast(l journalLimits) past {
	return past{recent: ring{max: l.recent}, each: l.each, services: map[string]*story{}}
}

// add takes an event that is newer than all others.
func (p *past) add(e *service.Event) {
	if e.Coordinate != "" { // else it is the node's own
		p.tell(e)
	}
	if old := p.recent.push(e); old != nil {
		p.aged(old)
	}
	if e.Coordinate != "" && e.Type == service.EventRemoved {
		p.services[e.Coordinate].forget(p.recent.at(0).Seq - 1)
	}
}

// tell adds an event to the story of its service.
func (p *past) tell(e *service.Event) {
	s := p.services[e.Coordinate]
	if s == nil {
		s = &story{}
		p.services[e.Coordinate] = s
	}
	if len(s.events) == p.each {
		s.events = slices.Delete(s.events, 0, 1)
	}
	s.events = append(s.events, e)
	s.removed = e.Type == service.EventRemoved
}

// aged is told which event has left the last ones of the node. Those of a service that was
// removed go then, or names that are used once would pile up.
func (p *past) aged(e *service.Event) {
	s := p.services[e.Coordinate]
	if s == nil || !s.removed {
		return
	}
	if s.forget(e.Seq); len(s.events) == 0 {
		delete(p.services, e.Coordinate)
	}
}

// forget drops the events up to a number.
func (s *story) forget(seq uint64) {
	n := 0
	for n < len(s.events) && s.events[n].Seq <= seq {
		n++
	}
	s.events = slices.Delete(s.events, 0, n)
}

// after returns all that is kept with numbers above seq, in order.
func (p *past) after(seq uint64) []*service.Event {
	if p.recent.len() == 0 {
		return nil
	}
	var all []*service.Event
	oldest := p.recent.at(0).Seq
	for _, s := range p.services {
		for _, e := range s.events {
			if e.Seq > seq && e.Seq < oldest {
				all = append(all, e)
			}
		}
	}
	slices.SortFunc(all, func(a, b *service.Event) int { return cmp.Compare(a.Seq, b.Seq) })
	for i := p.recent.after(seq); i < p.recent.len(); i++ {
		all = append(all, p.recent.at(i))
	}
	return all
}

// since returns copies of the last events of the node with numbers above seq.
func (p *past) since(seq uint64, limit int) []service.Event {
	from := p.recent.after(seq)
	n := p.recent.len() - from
	if limit > 0 {
		n = min(n, limit)
	}
	events := make([]service.Event, n)
	for i := range events {
		events[i] = *p.recent.at(from + i)
	}
	return events
}

// of returns copies of the events of a service.
func (p *past) of(coordinate string) []service.Event {
	s := p.services[coordinate]
	if s == nil {
		return []service.Event{}
	}
	events := make([]service.Event, len(s.events))
	for i, e := range s.events {
		events[i] = *e
	}
	return events
}

// ring holds the last max events, whose numbers rise.
type ring struct {
	max    int
	events []*service.Event // circular once it is full
	first  int              // where the oldest is then
}

// push adds an event, and returns the one that had to go for it.
func (r *ring) push(e *service.Event) (old *service.Event) {
	if len(r.events) < r.max {
		r.events = append(r.events, e)
		return nil
	}
	old, r.events[r.first] = r.events[r.first], e
	r.first = (r.first + 1) % r.max
	return old
}

func (r *ring) len() int { return len(r.events) }

// at returns an event by age: 0 is the oldest.
func (r *ring) at(i int) *service.Event { return r.events[(r.first+i)%len(r.events)] }

// after returns where the events with numbers above seq begin.
func (r *ring) after(seq uint64) int {
	return sort.Search(r.len(), func(i int) bool { return r.at(i).Seq > seq })
}
