// Package anchor is the process that is started as "nodee agent": the parent of the daemon,
// which lives on when the daemon does not. It starts the daemon, starts it again when it
// ends by itself, passes signals on, and inherits the services of a daemon that died: it reaps
// them, and writes down how each one ended, so that the next daemon learns it.
//
// It is tiny because nothing else of the program is there: all of it happens in this package's
// init, which never returns, before the packages that are initialised later. For that it
// imports syscall and os/signal, and no package that needs more than these: not even fmt. A
// test holds the built binary to it. A process that is no anchor passes through with a look
// at its environment and at its arguments.
//
// One goroutine, that of init, owns all that the anchor knows. It starts two others itself, as
// internal/group would be too much here: one waits for the end of any child, the other one
// reads what a daemon says. The first ends with the process, the second with the daemon.
//
// It refuses to know anything: no configuration, no network, no file but the one that the
// daemon hands to it. It decides nothing about services.
package anchor
