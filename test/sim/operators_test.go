package sim

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/job"
	"github.com/cloudname/nodee/runtime/service"
)

// wish is something that operators do.
type wish struct {
	odds int
	do   func(w *world)
}

var wishes = []wish{
	{6, func(w *world) { w.submit(w.anyName()) }},
	{6, func(w *world) { w.respec(w.anyName(), "good") }},
	{4, func(w *world) { w.respec(w.anyName(), bad[w.chance.IntN(len(bad))]) }},
	{5, func(w *world) {
		name, count := w.anyName(), w.count()
		w.ask(fmt.Sprintf("scale %s to %d", name, count), func(ctx context.Context, b jobs.Book) error {
			return w.kept(b.Scale(ctx, name, count, jobs.Options{}))
		})
	}},
	{2, func(w *world) { w.command("stop", jobs.Book.Stop) }},
	{4, func(w *world) { w.command("restart", jobs.Book.Restart) }},
	{2, func(w *world) { w.command("remove", jobs.Book.Remove) }},
	{3, func(w *world) {
		name, back := w.anyName(), w.chance.IntN(4)
		w.ask("revert "+name.String(), func(ctx context.Context, b jobs.Book) error {
			all, err := b.Versions(ctx, name)
			if err != nil || len(all) <= back {
				return err
			}
			return w.kept(b.Revert(ctx, name, all[back].Job.Version, jobs.Options{}))
		})
	}},
	{4, func(w *world) {
		n, deadline := w.anyNode().name, w.some(30*time.Second, 8*time.Minute)
		w.ask(fmt.Sprintf("drain %s within %s", n, deadline), func(ctx context.Context, b jobs.Book) error {
			_, err := b.Drain(ctx, n, deadline, "the simulation wants it")
			return err
		})
	}},
	{5, func(w *world) { w.resume(w.anyNode().name) }},
	{2, func(w *world) {
		n := w.anyNode().name
		w.ask("ineligible "+n, func(ctx context.Context, b jobs.Book) error {
			_, err := b.Ineligible(ctx, n, "the simulation wants it")
			return err
		})
	}},
	{1, func(w *world) {
		w.freeze(true)
		w.after(w.some(time.Second, time.Minute), func() { w.freeze(false) })
	}},
}

// bad are the commands of specs that never become healthy, and one whose artifact is nowhere.
var bad = []string{"fails", "sick", "loops", "missing"}

var names = []job.Name{
	{Service: "web", User: "borud", Cell: "fbu"}, {Service: "api", User: "borud", Cell: "fbu"},
	{Service: "db", User: "ann", Cell: "fbu"}, {Service: "agent", User: "ann", Cell: "fbu"}, // the last is a system job
}

func (w *world) anyName() job.Name { return names[w.chance.IntN(len(names))] }

func (w *world) count() int {
	return w.chance.IntN(min(3*len(w.names), 3+len(w.names)/2+w.chance.IntN(8)))
}

// ask has an operator ask some coordinator for something, who takes what comes of it.
func (w *world) ask(what string, do func(context.Context, jobs.Book) error) {
	c := w.anyCoord().c
	w.background.Go(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
		defer cancel()
		b, err := c.Book()
		if err == nil {
			err = do(ctx, b)
		}
		w.note("ask", "%s: %v", what, err)
	})
}

// kept: what was answered to be done stood in the tree, once.
func (w *world) kept(out jobs.Outcome, err error) error {
	if err != nil {
		return err
	}
	v, found := w.watch, 0
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, r := range v.jobs[out.Record.Job.Name] {
		if !r.gone && r.record.Job.Version == out.Record.Job.Version && r.record.At.Equal(out.Record.At) {
			found++
		}
	}
	if found != 1 {
		w.violate("an operator was told that %s is at version %d, which was written %d times", out.Record.Job.Name, out.Record.Job.Version, found)
	}
	return nil
}

func (w *world) command(what string, do func(jobs.Book, context.Context, job.Name, jobs.Options) (jobs.Outcome, error)) {
	name := w.anyName()
	w.ask(what+" "+name.String(), func(ctx context.Context, b jobs.Book) error {
		return w.kept(do(b, ctx, name, jobs.Options{}))
	})
}

func (w *world) resume(node string) {
	w.ask("resume "+node, func(ctx context.Context, b jobs.Book) error {
		_, err := b.Resume(ctx, node)
		return err
	})
}

func (w *world) freeze(freeze bool) {
	w.ask(fmt.Sprint("freeze: ", freeze), func(ctx context.Context, b jobs.Book) error {
		_, err := b.Freeze(ctx, freeze, "the simulation wants it")
		return err
	})
}

// spec is a new revision of a service that does what its command says.
func (w *world) spec(name job.Name, what string) string {
	w.made++
	artifact := fmt.Sprintf("com.example:%s:%d", name.Service, w.made)
	if what == "missing" {
		what, artifact = "good", fmt.Sprintf("com.example:%s:missing", name.Service)
	}
	args := fmt.Sprintf("%q", fmt.Sprint("revision ", w.made))
	if w.one(2) {
		args += `,"checked"`
	}
	if w.one(3) && !strings.HasSuffix(artifact, "missing") {
		artifact = fmt.Sprintf("com.example:%s:1", name.Service)
	}
	return fmt.Sprintf(`{"artifact":%q,"command":"bin/%s","args":[%s]}`, artifact, what, args)
}

// submit puts a job as a whole. How it is updated hangs on its name: what is on its way is held
// against that.
func (w *world) submit(name job.Name) {
	size := `"count":` + fmt.Sprint(w.count())
	if name.Service == "agent" {
		size = `"type":"system"`
	}
	more := ""
	if w.one(4) {
		more += fmt.Sprintf(`,"constraints":[{"attribute":"label.rack","value":%q}]`, w.racks[w.chance.IntN(len(w.racks))])
	}
	if w.one(3) {
		more += `,"spread":[{"attribute":"label.rack"}]`
	}
	update := map[string]string{
		"web": `{"max_parallel":1,"min_healthy":"10s","healthy_deadline":"1m"}`, "api": `{"max_parallel":2,"min_healthy":"3s","healthy_deadline":"40s"}`,
		"db": `{"max_parallel":1,"min_healthy":"15s","healthy_deadline":"2m","auto_revert":false}`, "agent": `{"max_parallel":2,"min_healthy":"5s","healthy_deadline":"1m"}`,
	}[name.Service]
	j, err := job.Decode(fmt.Appendf(nil, `{"name":%q,%s,"resources":{"cpu":0.5},"replace_after":"%ds","update":%s,"spec":%s%s}`,
		name, size, 20+w.chance.IntN(60), update, w.spec(name, "good"), more), document.JSON, "")
	if err != nil {
		w.violate("no such job: %v", err)
		return
	}
	w.ask("put "+name.String(), func(ctx context.Context, b jobs.Book) error {
		return w.kept(b.Put(ctx, j, jobs.Options{}))
	})
}

// respec gives a job another spec, if nobody else changes it meanwhile.
func (w *world) respec(name job.Name, what string) {
	spec, err := service.Decode([]byte(w.spec(name, what)), document.JSON, "")
	if err != nil {
		w.violate("no such spec: %v", err)
		return
	}
	w.ask(fmt.Sprintf("a %s spec for %s", what, name), func(ctx context.Context, b jobs.Book) error {
		r, err := b.Get(ctx, name)
		if err != nil {
			return err
		}
		j := r.Job
		j.Spec = spec
		return w.kept(b.Put(ctx, j, jobs.Options{Match: &r.Job.Version}))
	})
}
