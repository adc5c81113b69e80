// Package job is the vocabulary of jobs: what an operator gives the coordinator, so that
// instances of one service run on the nodes of a cell. Here stands what a job may say, which
// defaults it has, and in which words its faults are told.
//
// It decides nothing and touches nothing: where instances go is coordinator/place's business,
// how they change is the rollout's. It starts no goroutine.
package job
