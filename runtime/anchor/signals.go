package anchor

import (
	"os"
	"os/signal"
	"syscall"
)

// signals are those that the anchor passes on, and whether they are to end the daemon.
var signals = map[syscall.Signal]bool{
	syscall.SIGTERM: true, syscall.SIGINT: true, syscall.SIGHUP: true, syscall.SIGQUIT: true, syscall.SIGUSR2: false,
}

// passed returns where the signals come. One that this process was started to ignore, HUP by
// nohup, the daemon ignores too.
func passed() <-chan os.Signal {
	come := make(chan os.Signal, 16)
	for sig := range signals {
		if sig != syscall.SIGHUP || !signal.Ignored(sig) {
			signal.Notify(come, sig)
		}
	}
	return come
}

// pass passes a signal on.
func (a *anchor) pass(sig os.Signal) {
	s, ok := sig.(syscall.Signal)
	if !ok {
		return
	}
	if signals[s] {
		a.told = s
	}
	if a.daemon != 0 {
		_ = syscall.Kill(a.daemon, s) // it is not reaped yet, so the number is its own
	}
}
