package anchor

import (
	"os"
	"syscall"
	"time"
	"unsafe"
)

// anchor is what the anchor knows.
type anchor struct {
	path     string
	signals  <-chan os.Signal
	children *childWatch

	daemon int   // the pid of the daemon that runs; 0: none
	line   *line // to it
	life   int   // how many daemons there were
	told   bool  // the daemon was passed a signal that is to end it
	up     bool  // it said that it is up
	ever   bool  // it, or one before it
	last   syscall.WaitStatus

	exits int    // the file of exits; -1: no daemon has handed one over yet
	seq   uint64 // the number of the last exit
}

func newAnchor() *anchor {
	callMyself("nodee-anchor")
	// Without it nothing is lost but how a service ends while the daemon is away.
	_ = prctl(prSetChildSubreaper, 1)
	return &anchor{path: program(), signals: passed(), children: watchChildren(), exits: -1}
}

// run keeps a daemon alive, and returns the exit code of the process.
func (a *anchor) run() int {
	short := 0
	for {
		began := time.Now()
		if err := a.start(); err != nil {
			a.say("cannot start the daemon: " + err.Error())
			return 1
		}
		a.serve()
		v := judge(life{status: a.last, told: a.told, up: a.up, ever: a.ever, lasted: time.Since(began), short: short})
		if v.end {
			return v.code
		}
		short = v.short
		if a.rest(v.pause); a.told {
			return codeDone // while there was no daemon
		}
	}
}

// say tells what nobody else can. os.Stderr would end the process where nobody reads it.
func (a *anchor) say(what string) { _, _ = syscall.Write(2, []byte("nodee: "+what+"\n")) }

// start starts a daemon, with a line to it, in a session of its own: a Ctrl-C reaches the
// anchor alone, which passes it on. It is the anchor's own program where the path leads
// nowhere, in the midst of an installation perhaps.
func (a *anchor) start() error {
	l, end, err := newLine()
	if err != nil {
		return err
	}
	defer syscall.Close(end)
	const number = 3 // of the line, in the daemon
	m := Mark{Anchor: os.Getpid(), Line: number, Life: a.life + 1, Last: int(a.last), Path: a.path}
	attr := &syscall.ProcAttr{
		Env: append(os.Environ(), m.Environ()), Files: []uintptr{0, 1, 2, uintptr(end)}, Sys: &syscall.SysProcAttr{Setsid: true},
	}
	pid, err := syscall.ForkExec(a.path, os.Args, attr)
	if err != nil {
		if pid, err = syscall.ForkExec(self, os.Args, attr); err != nil {
			l.file.Close()
			return err
		}
	}
	a.daemon, a.line, a.life, a.told, a.up = pid, l, m.Life, false, false
	a.children.wait()
	return nil
}

// serve does all that comes up until the daemon has ended.
func (a *anchor) serve() {
	for a.daemon != 0 {
		select {
		case sig := <-a.signals:
			a.pass(sig)
		case s, open := <-a.line.said:
			if !open {
				a.line.said = nil
				continue
			}
			a.hear(s)
		case <-a.children.ended:
			a.reap()
		}
	}
	a.line.file.Close()
	if a.line.said != nil {
		for s := range a.line.said { // before it ended
			a.hear(s)
		}
	}
}

// rest does the same for a pause in which there is no daemon. Any signal ends it.
func (a *anchor) rest(pause time.Duration) {
	over := time.NewTimer(pause)
	defer over.Stop()
	for {
		select {
		case sig := <-a.signals:
			a.pass(sig)
			return
		case <-a.children.ended:
			a.reap()
		case <-over.C:
			return
		}
	}
}

// reap reaps every child that has ended, and has the next one waited for.
func (a *anchor) reap() {
	a.children.waits = false
	for {
		pid, status, err := endedChild(syscall.WNOHANG)
		if err != nil { // no children at all
			return
		}
		if pid == 0 {
			a.children.wait()
			return
		}
		if pid == a.daemon {
			a.daemon, a.last = 0, status
		} else {
			a.note(pid, status)
		}
		_, _ = syscall.Wait4(pid, nil, 0, nil) // what it says is known
	}
}

// note writes down how a child ended, before it is reaped: once it is gone, whoever wants to
// know can read it.
func (a *anchor) note(pid int, status syscall.WaitStatus) {
	if a.exits < 0 {
		return
	}
	name := string(appendNumber(nil, uint64(pid)))
	line, err := os.ReadFile("/proc/" + name + "/stat")
	s, ok := parseStat(line)
	if err != nil || !ok || s.session != pid {
		return
	}
	group, _ := os.ReadFile("/proc/" + name + "/cgroup") // its number and its start are enough
	a.seq++
	text, at := Exit{a.seq, pid, s.began, uint32(status), time.Now().UnixNano(), groupIn(group)}.slot()
	if _, err := syscall.Pwrite(a.exits, text, at); err != nil {
		a.say("cannot write down how process " + name + " ended: " + err.Error())
	}
}

const (
	prSetName           = 15
	prSetChildSubreaper = 36
)

func prctl(option int, value uintptr) error {
	if _, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, uintptr(option), value, 0, 0, 0, 0); errno != 0 {
		return errno
	}
	return nil
}

// callMyself gives this process a name of its own in lists of processes.
func callMyself(name string) {
	text := append([]byte(name), 0)
	_ = prctl(prSetName, uintptr(unsafe.Pointer(&text[0]))) // for people alone
}
