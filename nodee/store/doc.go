// Package store keeps on disk what the daemon of a host must know again after its end: who
// the node is, what is desired of each service and where it was, and the history of the
// node.
//
// It starts no goroutine. It refuses to decide anything: what is desired, and what follows
// from it, is the agent's business.
package store
