package model

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/cloudname/nodee/internal/group"
)

// How a bare client reads and writes.
const (
	roomy          = 4 << 20 // bytes of each buffer: lists are long, and so are writes
	readsInFlight  = 64
	writesInFlight = 8
	writesTogether = 100
)

// ReadBare reads what a coordinator reads before it decides, with a client of ZooKeeper and
// nothing else: it opens a session, lists the folders, and reads every record, without watches
// and without looking into any. It returns how long that took, and how many records there are.
func (c *Cell) ReadBare(ctx context.Context) (time.Duration, int, error) {
	began := time.Now()
	conn, err := connect(ctx, c.Server, roomy)
	if err != nil {
		return 0, 0, err
	}
	defer conn.Close()
	paths := []string{Name.Settings()}
	for _, dir := range []string{Name.Nodes(), Name.Reports(), Name.Policies(), Name.Jobs(), Name.Deployments(), Name.Assignments()} {
		names, _, err := conn.Children(dir)
		if err != nil {
			return 0, 0, fmt.Errorf("cannot list %s: %w", dir, err)
		}
		for _, name := range names {
			paths = append(paths, dir+"/"+name)
		}
	}
	err = group.Each(ctx, readsInFlight, paths, func(_ context.Context, _ int, path string) error {
		_, _, err := conn.Get(path)
		return err
	})
	return time.Since(began), len(paths), err
}

// WriteBare writes the documents that stand once more, byte for byte, with a client of ZooKeeper
// and nothing else, and waits until every node has read its own. No coordinator may run.
func (c *Cell) WriteBare(ctx context.Context) (time.Duration, error) {
	conn, err := connect(ctx, c.Server, roomy)
	if err != nil {
		return 0, err
	}
	defer conn.Close()
	sets := make([]any, c.Nodes)
	err = group.Each(ctx, readsInFlight, sets, func(_ context.Context, n int, _ any) error {
		path := Name.Assignment(NodeName(n))
		data, stat, err := conn.Get(path)
		sets[n] = &zk.SetDataRequest{Path: path, Data: data, Version: stat.Version}
		return err
	})
	if err != nil {
		return 0, err
	}
	all := c.Expect()
	began := time.Now()
	err = group.Each(ctx, writesInFlight, batches(sets, writesTogether), func(_ context.Context, _ int, part []any) error {
		_, err := conn.Multi(part...)
		return err
	})
	if err != nil {
		return 0, err
	}
	at, err := all.Await(ctx)
	return at.Sub(began), err
}

func batches[T any](all []T, size int) [][]T { return slices.Collect(slices.Chunk(all, size)) }
