// Package nodee is the daemon of one host, as a library: it keeps the tree of artifacts and
// runs the services that are desired on this node.
//
// A request changes what is desired, on disk, and never the world. One reconcile loop holds
// what is desired against what is, plans (plan.go is pure), and takes the steps; no service
// process starts but by it. Agent owns the loop, the supervisor, the downloads and the HTTP
// server, and waits for all of them when it ends. What runs goes on running then.
package nodee
