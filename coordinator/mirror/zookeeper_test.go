//go:build !race

// On real servers: for why not under the race detector see the keeper's faults_test.go.

package mirror

import (
	"fmt"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/keeper/keepertest"
	"github.com/cloudname/nodee/zkschema"
)

func onServers(t *testing.T, e *keepertest.Ensemble) *world {
	t.Helper()
	k := keepertest.Connect(t, 8*time.Second, e.Servers...)
	return newWorld(t, k, keepertest.Connect(t, 30*time.Second, e.Servers...))
}

func TestOnZooKeeper(t *testing.T) {
	t.Parallel()
	follows(onServers(t, keepertest.Start(t, 1)))
}

// Servers that crash and come back take no record with them, and none that changed is missed.
func TestZooKeeperDownAndUp(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	w := onServers(t, e)
	const all = 300
	for i := range all {
		w.apply(keeper.Create(cell.Report(fmt.Sprint("n", i)), encoded(t, zkschema.Report{})))
	}
	w.run()
	<-w.mirror.Read()
	if got := w.told.count(); got != all {
		t.Errorf("told of %d; want %d", got, all)
	}
	e.Kill(1)
	e.Up()
	keepertest.Eventually(t, "it is written again", func() bool {
		_, err := w.writer.Apply(t.Context(), keeper.Set(cell.Report("n7"), encoded(t, zkschema.Report{Refused: "x"}), keeper.AnyVersion))
		return err == nil
	})
	w.catchUp()
	if got := w.told.records["report n7"].Record.(zkschema.Report); got.Refused != "x" {
		t.Errorf("the report is %+v", got)
	}
	if got := len(w.told.records); got != all {
		t.Errorf("%d records are known; want %d", got, all)
	}
}

// Servers that came back from a backup may number other records the same.
func TestZooKeeperBackFromABackup(t *testing.T) {
	t.Parallel()
	e := keepertest.Start(t, 1)
	w := newWorld(t, keepertest.Connect(t, 2*time.Second, e.Servers...), keepertest.Connect(t, 2*time.Second, e.Servers...))
	w.apply(keeper.Create(cell.Report("n1"), encoded(t, zkschema.Report{})))
	e.Kill(1)
	backup := e.Backup(1)
	e.Up()
	first := w.run()
	<-w.mirror.Read()
	report := func(why string) {
		keepertest.Eventually(t, "it is written", func() bool {
			s, err := keepertest.Connect(t, 2*time.Second, e.Servers...).Open(t.Context())
			if err != nil {
				return false
			}
			defer s.Close()
			_, err = s.Apply(t.Context(), keeper.Set(cell.Report("n1"), encoded(t, zkschema.Report{Refused: why}), keeper.AnyVersion))
			return err == nil
		})
	}
	report("before")
	w.catchUp()
	first()
	e.Kill(1)
	e.Restore(1, backup)
	e.Up()
	report("after")
	w.run()
	w.catchUp()
	if got := w.told.records["report n1"]; got.Version != 1 || got.Record.(zkschema.Report).Refused != "after" {
		t.Errorf("the report is %+v; want the one after the backup", got)
	}
}
