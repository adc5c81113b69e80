package plan

import (
	"github.com/cloudname/nodee/runtime/service"
)

// choosePrimaries finds for each instance the copy that stands for it, and tells placement where
// that is.
func (p *planner) choosePrimaries() {
	for i := range p.open.instances {
		p.choosePrimary(i)
	}
	for i := range p.open.several {
		p.choosePrimary(i)
	}
}

func (p *planner) choosePrimary(i *instance) {
	if len(i.copies) == 0 {
		p.forgetInstance(i)
		p.tidyJob(i.of)
		return
	}
	best := p.best(i, nil)
	if best == nil {
		best = i.newest()
	}
	p.standsBy(i, best)
}

// best chooses among the fit copies that should run the one that is worth most, and of equals the
// older; nil: there is none.
func (p *planner) best(i *instance, but *copy) (best *copy) {
	for _, k := range i.copies {
		if !k.assigned || k.want != service.Running || k == but || len(i.copies) > 1 && !p.fit(k) {
			continue
		}
		if best == nil || k.worth() > best.worth() || k.worth() == best.worth() && older(k, best) < 0 {
			best = k
		}
	}
	return best
}

// newest is the copy that was given last; nil: none was.
func (i *instance) newest() (newest *copy) {
	for _, k := range i.copies {
		if k.assigned && (newest == nil || given(k, newest) > 0) {
			newest = k
		}
	}
	return newest
}

// standsBy has a copy stand for an instance, and placement know where that is; nil: it is nowhere.
func (p *planner) standsBy(i *instance, k *copy) {
	if i.primary != k {
		i.primary = k
		p.open.instances[i] = true
		p.open.jobs[i.of] = true
		for _, k := range i.copies {
			p.open.nodes[k.on] = true
		}
	}
	if i.of.alone() {
		return
	}
	on := ""
	if k != nil {
		on = k.on.name
	}
	p.placement.Set(i.coordinate(), on)
	if i.waits() {
		p.placement.Set(i.coordinate(), "") // placement remembers whose number it is
	}
	if delete(i.of.behind, i); i.placed() && !k.current() {
		i.of.behind[i] = true
	}
}

// waits tells whether an instance only keeps its number for a node that is drained.
func (i *instance) waits() bool {
	return i.primary != nil && i.primary.want != service.Running && i.primary.kept()
}

// placed tells whether an instance is somewhere, as placement has it.
func (i *instance) placed() bool { return i.primary != nil && !i.waits() }
