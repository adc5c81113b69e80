// Package check asks services how they are. What the results come to is pure: a Set knows
// which checks are due, counts their results in a row, and tells whether a service has
// started, is ready and lives (set.go). How a service is asked is in ask.go.
//
// It starts no goroutine and keeps no clock: whoever owns a Set is told when to look at it
// next, makes the tries in goroutines of its own, and hands the results back.
//
// It refuses to conclude anything from a try that could not be made: that the host has no
// descriptors left says nothing of the service.
package check
