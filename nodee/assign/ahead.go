package assign

import (
	"context"
	"slices"
	"time"

	"github.com/cloudname/nodee/internal/group"
)

// ahead is what becomes of the artifacts that the document asks to have ready.
type ahead struct {
	all     map[string]*download
	results chan result
}

// download is one of them.
type download struct {
	attempt
	there  bool
	cancel context.CancelFunc // of the one that is under way; nil: none is
}

type result struct {
	artifact string
	of       *download
	err      error
}

func newAhead() ahead { return ahead{all: map[string]*download{}, results: make(chan result)} }

// prefetch has what is missing installed, and gives up what is not asked for any more.
func (a *Assigner) prefetch(g *group.Group) {
	doc := a.memory.Document
	if doc == nil {
		return
	}
	for name, d := range a.ahead.all {
		if slices.Contains(doc.Prefetch, name) {
			continue
		}
		if d.cancel != nil {
			d.cancel()
		}
		delete(a.ahead.all, name)
	}
	for _, name := range doc.Prefetch {
		d := a.ahead.all[name]
		if d == nil {
			d = &download{}
			a.ahead.all[name] = d
		}
		if d.cancel != nil {
			continue
		}
		if d.there = a.cfg.Artifacts.Installed(name); d.there {
			d.attempt = attempt{}
		} else if !time.Now().Before(d.at) {
			a.install(g, name, d)
		}
	}
}

// install fetches one artifact beside everything else.
func (a *Assigner) install(g *group.Group, name string, d *download) {
	ctx, cancel := context.WithCancel(g.Context())
	d.cancel = cancel
	d.at = time.Time{}
	g.Aside("prefetch "+name, func(context.Context) error {
		defer cancel()
		err := a.cfg.Artifacts.Install(ctx, name)
		select {
		case a.ahead.results <- result{name, d, err}:
		case <-ctx.Done(): // nobody asks for it any more
		}
		return nil
	})
}

// learn takes what came of a download.
func (h *ahead) learn(r result, now time.Time) {
	d := r.of
	d.cancel, d.err = nil, r.err
	d.missed(now) // it is looked for in any case
}

// told is what is said of the artifacts that are asked for: those that are there, and why others
// are not.
func (h *ahead) told(asked []string) (there []string, failed map[string]string) {
	for _, name := range asked {
		switch d := h.all[name]; {
		case d == nil:
		case d.there:
			there = append(there, name)
		case d.err != nil:
			if failed == nil {
				failed = map[string]string{}
			}
			failed[name] = d.err.Error()
		}
	}
	return there, failed
}
