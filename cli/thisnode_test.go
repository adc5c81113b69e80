package cli

import (
	"reflect"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
)

func TestZooKeeperPart(t *testing.T) {
	since := time.Date(2026, 1, 2, 3, 4, 5, 0, time.Local)
	for _, c := range []struct {
		name string
		z    api.ZooKeeper
		want [][2]string
	}{
		{"a node that stands alone", api.ZooKeeper{State: "off"}, [][2]string{{"zookeeper", "off"}}},
		{"one in its cell", api.ZooKeeper{State: "connected", Since: &since, Servers: []string{"a:1", "b:2"}, Session: "0x1f"},
			[][2]string{{"zookeeper", "connected since 2026-01-02 03:04:05"}, {"  servers", "a:1, b:2"}, {"  session", "0x1f"}}},
		{"one whose name is taken", api.ZooKeeper{State: "name-taken", Since: &since, Servers: []string{"a:1"}, Session: "0x1f", Holder: "node x", Why: "taken"},
			[][2]string{{"zookeeper", "name-taken since 2026-01-02 03:04:05"}, {"  servers", "a:1"}, {"  session", "0x1f"}, {"  holder", "node x"}, {"  why", "taken"}}},
	} {
		if got := zooKeeperPart(c.z); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}
