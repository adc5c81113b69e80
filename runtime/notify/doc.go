// Package notify hears what services tell of themselves, in the way of systemd's sd_notify:
// datagrams of KEY=VALUE lines to the socket that NOTIFY_SOCKET names.
//
// Each start of a service has a socket of its own, whose name is abstract: whoever the service
// runs as can send to it, wherever it may write, and nothing is left on the disk. The name
// holds the prefix's hash and the start's id, so that the next daemon listens there again.
// Anybody can send to such a name, so a message counts only if the kernel says that its sender
// belongs to the start. What is sent while no daemon is there is refused by the kernel, which
// sd_notify's callers pass over.
//
// One goroutine, the caller of Run, reads all the sockets through one epoll descriptor, which
// waits in the poller of Go's runtime: a socket costs a descriptor and no goroutine. A service
// that floods its socket is read so many times a second, and has to wait then.
package notify
