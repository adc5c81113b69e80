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

	daemon int            // the pid of the daemon that runs; 0: none
	line   *line          // to it
	life   int            // how many daemons there were
	told   syscall.Signal // what the daemon was passed to end it; 0: nothing
	up     bool           // it said that it is up
	ever   bool           // it, or one before it
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
		v := verdict{end: !a.ever, code: codeFailed, pause: pauseUp, short: short}
		if err := a.start(); err != nil {
			// Whoever starts a node is to be told so. Later the host may be short of
			// something for a while, and the ends of services are to be noted meanwhile.
			a.say("cannot start the daemon: " + err.Error())
		} else {
			a.serve()
			v = judge(life{status: a.last, told: a.told != 0, up: a.up, ever: a.ever, lasted: time.Since(began), short: short})
		}
		if v.end {
			return v.code
		}
		short = v.short
		if a.rest(v.pause); a.told != 0 {
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
	a.daemon, a.line, a.life, a.told, a.up = pid, l, m.Life, 0, false
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
	if err := a.write(Exit{0, pid, s.began, uint32(status), time.Now().UnixNano(), groupIn(group)}); err != nil {
		a.say("cannot write down how process " + name + " ended: " + err.Error())
	}
}

// write gives an exit the next number, and puts it in that one's slot. What another anchor has
// written is passed over: its daemon may have taken the prefix while this one's was away.
func (a *anchor) write(e Exit) error {
	slot := make([]byte, SlotSize)
	for taken := true; taken; {
		a.seq++
		if _, err := syscall.Pread(a.exits, slot, int64(a.seq%Slots)*SlotSize); err != nil {
			return err
		}
		there, ok := ParseExit(slot)
		taken = ok && there.Seq >= a.seq
	}
	e.Seq = a.seq
	text, at := e.slot()
	_, err := syscall.Pwrite(a.exits, text, at)
	return err
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
