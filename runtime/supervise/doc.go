// Package supervise looks after units: it starts what should run, watches it, restarts it by
// its policy, drains it and stops it.
//
// The decisions are pure: a table of states and events (machine.go) and the restart policy
// (policy.go). One goroutine owns each unit (unit.go); others send it wishes and read
// published copies. What it does stands by the time of a run: start.go, then vigil.go and
// notices.go while it runs, drain.go and end.go; wake.go is what it does in the next daemon.
// What really runs is behind the Launcher. A unit is known by its kind and its name; what it
// is made from comes from an Outfitter.
//
// The package never decides that something should run: it is told what is desired.
package supervise
