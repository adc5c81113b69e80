package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// sameLoop is the plain Go loop that makes the same system calls as Nodee.
const sameLoop = "same loop in Go"

// lifeTables is what the life of n services shows of a peer.
type lifeTables struct{ cpu, wall, private, kernel, threads, idleCPU, idleSwitches, p50, p99, herd *table }

const (
	startPatience = 3 * time.Minute
	samples       = 200 // restarts one after the other
	slowSamples   = 5   // of those who wait a second each time
)

// lives follows n services of every peer from their start through idleness, single deaths
// and the death of all at once.
func (b *bench) lives() error {
	t := b.lifeTables()
	for run := range b.runs {
		for _, p := range append(b.peers(), b.nodeePut()) {
			if !strings.Contains(p.name, b.with) {
				continue
			}
			if p.missing != "" {
				if run == 0 {
					say("%s is left out: %s", p.name, p.missing)
				}
				continue
			}
			say("run %d of %d: %s", run+1, b.runs, p.name)
			if err := b.live(p, t); err != nil {
				return fmt.Errorf("%s: %w", p.name, err)
			}
		}
	}
	return nil
}

func (b *bench) table(title, unit, base string) *table {
	t := &table{title: title, unit: unit, base: base, command: "make bench ONLY=lives"}
	b.tables = append(b.tables, t)
	return t
}

func (b *bench) lifeTables() lifeTables {
	n := fmt.Sprint(b.n)
	return lifeTables{
		cpu:          b.table("Processor time until "+n+" services run: supervisor, helpers, services", "milliseconds", sameLoop),
		wall:         b.table("Time until "+n+" services run", "milliseconds", sameLoop),
		private:      b.table("Private memory of all that supervises "+n+" services", "kB", ""),
		kernel:       b.table("Memory of the kernel, a service", "kB", "bare C loop"),
		threads:      b.table("Threads of all that supervises", "threads", ""),
		idleCPU:      b.table(fmt.Sprintf("Idle with %s running, over %d s", n, b.idle), "% of a core", ""),
		idleSwitches: b.table(fmt.Sprintf("Idle with %s running, over %d s", n, b.idle), "context switches a second", ""),
		p50:          b.table("From kill -9 of a service to its replacement, half of them within", "milliseconds", sameLoop),
		p99:          b.table("From kill -9 of a service to its replacement, 99 of 100 within", "milliseconds", sameLoop),
		herd:         b.table("All "+n+" die at once: until all are back", "milliseconds", sameLoop),
	}
}

// round makes what one round of a peer needs.
func (b *bench) round(n int) (*round, error) {
	dir, err := os.MkdirTemp(b.work, "round-")
	if err != nil {
		return nil, err
	}
	r := &round{bench: b, dir: dir, n: n}
	if r.account, err = newAccount("peer"); err != nil {
		return nil, err
	}
	r.beacon, err = newBeacon(filepath.Join(dir, "beacon"))
	return r, err
}

// end ends a round, and leaves nothing of it.
func (r *round) end(p *peer, services map[int]bool) error {
	var err error
	if p.stop != nil {
		err = p.stop(r)
	}
	if e := r.account.close(r.supervisors(services)); err == nil {
		err = e
	}
	for _, cmd := range r.procs {
		_ = cmd.Wait() // it was killed
	}
	r.beacon.close()
	if e := os.RemoveAll(r.dir); err == nil {
		err = e
	}
	return err
}

// supervisors are the processes of the account that are no services.
func (r *round) supervisors(services map[int]bool) []int {
	return slices.DeleteFunc(r.account.pids(), func(pid int) bool { return services[pid] })
}

func (b *bench) live(p *peer, t lifeTables) (err error) {
	r, err := b.round(b.n)
	if err != nil {
		return err
	}
	running := map[int]bool{}
	defer func() {
		if e := r.end(p, running); err == nil {
			err = e
		}
	}()
	kernel := kernelKB()
	began := time.Now()
	if err := p.start(r); err != nil {
		return err
	}
	signs, err := r.beacon.await(b.n, startPatience)
	for _, s := range signs {
		running[s.pid] = true
	}
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(r.dir, "supervisor.log"))
		return fmt.Errorf("%w; the supervisor said: %s", err, log[:min(len(log), 1000)])
	}
	t.cpu.add(p.name, milliseconds(r.account.cpu()))
	t.wall.add(p.name, milliseconds(signs[len(signs)-1].at.Sub(began)))
	time.Sleep(5 * time.Second) // for what is done after a start
	t.kernel.add(p.name, (kernelKB()-kernel)/float64(b.n))
	r.atRest(p, t, running)
	if err := r.deaths(p, t, running); err != nil {
		return err
	}
	return r.herd(p, t, running)
}

// atRest looks at what costs something while nothing happens.
func (r *round) atRest(p *peer, t lifeTables, running map[int]bool) {
	pids := r.supervisors(running)
	t.private.add(p.name, privateKB(pids))
	t.threads.add(p.name, threads(pids))
	cpu, before := r.account.cpu(), switches(pids)
	pause := time.Duration(r.bench.idle) * time.Second
	time.Sleep(pause)
	t.idleSwitches.add(p.name, (switches(pids)-before)/pause.Seconds())
	t.idleCPU.add(p.name, 100*(r.account.cpu()-cpu).Seconds()/pause.Seconds())
}

// deaths kills one service after the other.
func (r *round) deaths(p *peer, t lifeTables, running map[int]bool) error {
	n := samples
	if p.slow {
		n = slowSamples
	}
	var took []float64
	for pid := range running {
		if len(took) == n {
			break
		}
		at := time.Now()
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			return err
		}
		signs, err := r.beacon.await(1, 10*time.Second)
		if err != nil {
			return fmt.Errorf("after a kill: %w", err)
		}
		delete(running, pid)
		running[signs[0].pid] = true
		took = append(took, milliseconds(signs[0].at.Sub(at)))
	}
	t.p50.add(p.name, quantile(took, 0.5))
	t.p99.add(p.name, quantile(took, 0.99))
	return nil
}

// herd kills all services at once.
func (r *round) herd(p *peer, t lifeTables, running map[int]bool) error {
	at := time.Now()
	for pid := range running {
		if err := unix.Kill(pid, unix.SIGKILL); err != nil {
			return err
		}
		delete(running, pid)
	}
	signs, err := r.beacon.await(r.n, startPatience)
	if err != nil {
		return fmt.Errorf("after all were killed: %w", err)
	}
	for _, s := range signs {
		running[s.pid] = true
	}
	t.herd.add(p.name, milliseconds(signs[len(signs)-1].at.Sub(at)))
	if twice := r.beacon.quiet(time.Second); twice > 0 {
		return fmt.Errorf("%d services were started twice", twice)
	}
	return nil
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
