// Package place decides where the instances of jobs run. A Cell is what is known: nodes, jobs,
// and where instances are. Plan says what must change, and why; what finds no node is told of
// with the reasons. DESIGN.md beside this file says why it is done so.
//
// It is a decision and nothing else: no I/O, no clock, no chance, no goroutine. The same cell
// gives the same plan, however it came to be. A Cell belongs to one goroutine. It does not carry
// a plan out, nor decide in which order that is done so that enough stays healthy: where
// instances are it is told by Set.
package place
