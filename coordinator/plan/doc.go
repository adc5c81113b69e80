// Package plan decides what must be written so that the nodes of a cell run what its jobs say. A
// Cell is all that is known: it is told what stands in ZooKeeper. Plan says what must be written
// now, and when to look again though nothing has changed. DESIGN.md of the coordinator has the
// words and the rules.
//
// Read in this order: cell.go (what is known), put.go and told.go (how it comes to be known),
// copies.go (what a copy is worth), plan.go (the steps of a plan), adopt.go, nodes.go, primary.go, moves.go, update.go,
// fate.go, write.go (the steps themselves). The rest looks at a cell for people, as the last plan
// has left it: view.go, waits.go, nodeview.go, why.go, and try.go, which plans for a job that is
// not written yet.
//
// It is a decision and nothing else: no I/O, no clock, no chance, no goroutine. A Cell belongs to
// one goroutine. It writes nothing, and never takes for written what it was not told stands.
package plan
