package group

import "runtime"

// The main goroutine keeps the process's first thread for ever. Without that Thread could be
// given it, and the first thread cannot be thrown away: it stands for the process in /proc,
// and would do so with whatever was done to it.
func init() { runtime.LockOSThread() }

// Thread runs task on a thread of the operating system that nothing else runs on afterwards,
// and waits for it. So task may change what belongs to a thread and cannot be changed back:
// the thread ends with it. Go starts no thread from one that a goroutine is locked to, so
// nothing of the change gets to others, but to the processes that task starts.
func Thread(task func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: that is what ends the thread
		task()
	}()
	<-done
}
