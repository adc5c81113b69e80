// Package service is the vocabulary of services: the coordinate that names one, the spec
// that says what it should be, the states it goes through, the events of its history.
//
// It decides nothing and touches nothing: no files, no clock, no processes. What a spec
// means in practice is the supervisor's business; here stands what a spec may say, which
// defaults it has, and in which words its faults are told.
package service
