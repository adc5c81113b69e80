//go:build !race

// The client library has a data race of its own when it connects anew: see
// internal/keeper/faults_test.go. The same cases run under the race detector in memory.

package elect_test

import "testing"

func TestFaultsOnZooKeeper(t *testing.T) {
	t.Parallel()
	runAll(t, realWorld(t), faultCases)
}
