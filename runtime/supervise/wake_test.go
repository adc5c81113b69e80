package supervise

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// The daemon ends in every phase; the next one finds everything as it was.
func TestTheDaemonsRestart(t *testing.T) {
	t.Run("a running one is adopted", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.open("boot")
			w.expect(service.StateRunning)
			w.close()
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || !strings.HasSuffix(w.history(), "adopted") {
				t.Errorf("%d starts, history %q", w.starts, w.history())
			}
		})
	})
	t.Run("an end in between is answered by the policy", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.open("boot")
			w.close()
			w.end(exits(0))
			w.lookTakes = time.Millisecond
			w.open("boot")
			if w.woke == service.StateRunning {
				t.Error("it was told to run when it had ended")
			}
			if s := w.expect(service.StateBackoff); s.LastExit.Reason != service.ReasonUnknown {
				t.Errorf("reason %s, want unknown", s.LastExit.Reason)
			}
			time.Sleep(time.Second)
			w.expect(service.StateRunning)
		})
	})
	t.Run("an end that is in the history is not told again", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.open("boot")
			running := w.record
			w.end(exits(3))
			w.expect(service.StateBackoff)
			w.close()
			w.record = running // the daemon was killed before it could record the end
			w.open("boot")
			w.expect(service.StateBackoff)
			if strings.Count(w.history(), "exited") != 1 {
				t.Errorf("history %q; want one end of the one start", w.history())
			}
		})
	})
	t.Run("an intent without a start is taken up", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.spec()}
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || strings.Contains(w.history(), "exited") {
				t.Errorf("%d starts, history %q", w.starts, w.history())
			}
		})
	})
	t.Run("a start whose handle was lost is found", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.procs["s"], w.starts = &proc{ended: make(chan struct{})}, 1
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.spec()}
			w.open("boot")
			w.expect(service.StateRunning)
			if w.starts != 1 || w.record.Handle == nil {
				t.Errorf("%d starts, handle %q", w.starts, w.record.Handle)
			}
		})
	})
	t.Run("a start that ended unseen counts as one", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.starts = 1
			w.want.Spec.Restart.Policy = service.Never
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.spec()}
			w.open("boot")
			w.expect(service.StateFailed)
			if w.starts != 1 || !slices.Equal(w.stopped, []string{"s"}) {
				t.Errorf("%d starts, stopped %q; want the one before, and what it left cleared away", w.starts, w.stopped)
			}
		})
	})
	t.Run("a start that was not told of is told of, once", func(t *testing.T) {
		for name, ended := range map[string]bool{"it runs on": false, "it has ended since": true} {
			for _, handle := range []bool{true, false} {
				inWorld(t, func(t *testing.T, w *world) {
					w.startTakes = time.Second
					w.open("boot")
					asked := w.saved() // when the start was asked for
					time.Sleep(time.Second)
					w.expect(service.StateRunning)
					if handle {
						asked.Handle, asked.HasRun, asked.Totals.Starts = w.saved().Handle, true, 1
					}
					w.close()
					if ended {
						w.end(exits(3))
					}
					w.record = asked
					i := slices.IndexFunc(w.events, func(e service.Event) bool { return e.Type == service.EventStarted })
					w.events = slices.Delete(w.events, i, len(w.events))
					w.open("boot")
					w.close()
					w.open("boot")
					if strings.Count(w.history(), "started") != 1 || !strings.Contains(w.history(), "prepared started ") || w.record.Totals.Starts != 1 {
						t.Errorf("%s, handle %v: %d starts, history %q", name, handle, w.record.Totals.Starts, w.history())
					}
				})
			}
		}
	})
	t.Run("a backoff goes on with the time that is left", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Spec.Restart.Base = quantity.Duration(20 * time.Second)
			w.open("boot")
			w.end(exits(1))
			w.expect(service.StateBackoff)
			time.Sleep(15 * time.Second)
			w.close()
			w.open("boot")
			w.expect(service.StateBackoff)
			time.Sleep(5 * time.Second)
			w.expect(service.StateRunning)
		})
	})
	t.Run("a backoff that is over by now starts what is wanted", func(t *testing.T) {
		for range 20 { // whether the wish or the timer is looked at first is chance
			inWorld(t, func(t *testing.T, w *world) {
				w.open("boot")
				w.end(exits(1))
				w.expect(service.StateBackoff)
				w.close()
				time.Sleep(time.Minute)
				w.open("boot")
				w.expect(service.StateRunning)
				if got := w.record.Spec.Command; got != w.want.Spec.Command {
					t.Errorf("it runs %q, want %q", got, w.want.Spec.Command)
				}
			})
		}
	})
	t.Run("a backoff is no longer than the policy can make it", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) { // the clock was set back by a year meanwhile
			w.record = Record{Boot: "boot", State: "backoff", Run: 1, Spec: w.spec(), Until: time.Now().AddDate(1, 0, 0)}
			w.open("boot")
			w.expect(service.StateBackoff)
			time.Sleep(w.want.Spec.Restart.Cap.Std())
			w.expect(service.StateRunning)
		})
	})
	t.Run("a stop goes on", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopTakes = 5 * time.Second
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopping)
			w.close()
			w.open("boot")
			time.Sleep(5 * time.Second)
			w.expect(service.StateStopped)
		})
	})
	t.Run("a stop goes on of one that told something meanwhile, and ended unseen", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopTakes = 5 * time.Second
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopping)
			w.tells("STATUS=saving")
			synctest.Wait()
			w.close()
			w.end(exits(0))
			w.open("boot")
			s := w.expect(service.StateStopped)
			if s.LastExit == nil || s.LastExit.Reason == "" || strings.Count(w.history(), "exited") != 1 {
				t.Errorf("last exit %+v, history %q; want its end to be told, once", s.LastExit, w.history())
			}
		})
	})
	t.Run("an end by its checks goes on over a change of its spec", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			checked(w)
			w.stopTakes = time.Minute
			w.says(errDown, "alive")
			w.open("boot")
			time.Sleep(6 * time.Second)
			w.expect(service.StateStopping)
			w.want.Spec.Restart.Base = quantity.Duration(7 * time.Second)
			w.tell(service.Running, false)
			w.expect(service.StateStopping)
			w.close()
			w.end(exits(0))
			w.open("boot")
			s := w.expect(service.StateBackoff)
			if s.LastExit == nil || s.LastExit.Reason != service.ReasonLiveness || strings.Count(w.history(), "exited") != 1 {
				t.Errorf("last exit %+v, history %q; want its end to be told, once", s.LastExit, w.history())
			}
		})
	})
	t.Run("a stop goes on that had ended the main process", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopTakes = 5 * time.Second
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopping)
			w.end(exits(3))
			w.expect(service.StateStopping)
			w.close()
			w.open("boot")
			s := w.expect(service.StateStopped)
			if s.LastExit.Code == nil || *s.LastExit.Code != 3 || strings.Count(w.history(), "exited") != 1 {
				t.Errorf("last exit %+v, history %q; want the exit that was seen, once", s.LastExit, w.history())
			}
		})
	})
	t.Run("a handle of another prefix holds nothing up", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.stopErr = fmt.Errorf("%w: moved", ErrForeign)
			w.record = Record{Boot: "boot", State: "running", Run: 1, Start: "s", Handle: Handle("elsewhere"), HasRun: true, Spec: w.spec()}
			w.open("boot")
			w.tell(service.Stopped, false)
			w.expect(service.StateStopped)
		})
	})
	t.Run("failed stays failed", func(t *testing.T) {
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Spec.Restart.Fatal = []int{9}
			w.open("boot")
			w.end(exits(9))
			before := w.expect(service.StateFailed)
			w.close()
			w.open("boot")
			after := w.expect(service.StateFailed)
			if after.Why != before.Why || *after.LastExit.Code != 9 {
				t.Errorf("before %q, after %q", before.Why, after.Why)
			}
		})
	})
}

func TestANewBoot(t *testing.T) {
	for name, c := range map[string]struct {
		policy service.Policy
		before func(w *world)
		want   service.State
		starts int
	}{
		"starts what ran":                     {service.Always, func(w *world) {}, service.StateRunning, 2},
		"starts what had failed":              {service.Always, func(w *world) { w.end(exits(9)) }, service.StateRunning, 2},
		"leaves what ran once and has ended":  {service.Never, func(w *world) { w.end(exits(0)) }, service.StateStopped, 1},
		"fails what ran once and was cut off": {service.Never, func(w *world) {}, service.StateFailed, 1},
		"leaves what was stopped":             {service.Always, func(w *world) { w.tell(service.Stopped, false) }, service.StateStopped, 1},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want.Spec.Restart.Policy = c.policy
				w.want.Spec.Restart.Fatal = []int{9}
				w.open("first")
				c.before(w)
				synctest.Wait()
				w.close()
				w.procs = map[string]*proc{}
				w.open("second")
				if s := w.expect(c.want); w.starts != c.starts || s.Restarts != 0 {
					t.Errorf("%d starts, %d restarts; want %d, 0", w.starts, s.Restarts, c.starts)
				}
			})
		})
	}
}

// Nobody knows whether it runs: it is not started on the off chance that it does not.
func TestAStartThatCannotBeLookedFor(t *testing.T) {
	for name, runs := range map[string]bool{"and runs": true, "and does not": false} {
		inDoubt := func(t *testing.T, w *world) {
			if runs {
				w.procs["s"], w.starts = &proc{ended: make(chan struct{})}, 1
			}
			w.findErr = fmt.Errorf("too many open files")
			w.record = Record{Boot: "boot", State: "starting", Run: 1, Start: "s", Spec: w.spec()}
			w.open("boot")
			s := w.expect(service.StateFailed)
			if w.record.State != "failed" || w.record.Start != "s" || w.history() != "failed" || !strings.Contains(s.Why, "too many") {
				t.Errorf("record %+v, history %q, why %q", w.record, w.history(), s.Why)
			}
		}
		known := func(w *world) {
			w.mu.Lock()
			w.findErr = nil
			w.mu.Unlock()
		}
		t.Run(name+", is ended before another is started", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				inDoubt(t, w)
				before := w.starts
				w.tell(service.Running, true)
				time.Sleep(time.Hour)
				w.expect(service.StateStopping)
				known(w)
				time.Sleep(retryHalt)
				if s := w.expect(service.StateRunning); s.Run != 2 || w.starts != before+1 { // the launcher says if there are two
					t.Errorf("run %d after %d starts, want 2 after %d", s.Run, w.starts, before+1)
				}
			})
		})
		t.Run(name+", is stopped", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				inDoubt(t, w)
				w.tell(service.Stopped, false)
				w.expect(service.StateStopping)
				known(w)
				time.Sleep(retryHalt)
				w.expect(service.StateStopped)
				if len(w.procs) != 0 || w.record.Start != "" {
					t.Errorf("%d processes are left, and on record the start %q", len(w.procs), w.record.Start)
				}
			})
		})
		t.Run(name+", is looked for by the next daemon", func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				inDoubt(t, w)
				w.close()
				known(w)
				w.open("boot")
				w.expect(service.StateRunning)
				if w.starts != 1 {
					t.Errorf("%d starts, want 1", w.starts)
				}
			})
		})
	}
}

// The host went down between the end of the main process and that of its group.
func TestANewBootKeepsAnExitThatWasSeen(t *testing.T) {
	for name, c := range map[string]struct {
		policy  service.Policy
		state   State
		desired service.Desired
		code    int
		want    service.State
		starts  int
	}{
		"starts what should run":               {service.Always, Clearing, service.Running, 3, service.StateRunning, 1},
		"fails what was to run once":           {service.Never, Clearing, service.Running, 3, service.StateFailed, 0},
		"leaves what was to run once, cleanly": {service.Never, Clearing, service.Running, 0, service.StateStopped, 0},
		"leaves what was being stopped":        {service.Always, Stopping, service.Stopped, 3, service.StateStopped, 0},
		"leaves what was to run once, stopped": {service.Never, Stopping, service.Stopped, 3, service.StateStopped, 0},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, func(t *testing.T, w *world) {
				w.want.Spec.Restart.Policy, w.want.Desired = c.policy, c.desired
				w.record = Record{Boot: "first", State: c.state.String(), Run: 1, Start: "s", Handle: Handle("s"), HasRun: true,
					Spec: w.spec(), Exited: true, LastExit: &service.Exit{Code: &c.code}}
				w.open("second")
				s := w.expect(c.want)
				if s.LastExit.Code == nil || *s.LastExit.Code != c.code || w.starts != c.starts || strings.Contains(w.history(), "exited") {
					t.Errorf("%d starts, last exit %+v, history %q; want %d, the exit that was seen", w.starts, s.LastExit, w.history(), c.starts)
				}
			})
		})
	}
}

// What is cut short by the daemon's end must not be taken for done.
func TestNoStepIsTakenAfterTheEnd(t *testing.T) {
	for range 20 { // whether the end or the answer is looked at first is chance
		inWorld(t, func(t *testing.T, w *world) {
			w.want.Desired = service.Stopped
			w.open("boot")
			ctx, cancel := context.WithCancel(t.Context())
			u := newUnit("2.web.borud.fbu", Record{}, &w.sup.cfg, w.sup.tasks)
			u.tell(w.want)
			go u.post(t.Context(), func() { t.Error("a step was taken") })
			synctest.Wait()
			cancel()
			if err := u.run(ctx); err != nil {
				t.Error(err)
			}
			close(u.gone)
		})
	}
}
