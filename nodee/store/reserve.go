package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/cloudname/nodee/internal/publish"
)

// The files of the reserve: as many as can be asked to stop until there is room again, and as
// large as what is desired of a service hardly ever is.
const (
	reserveFiles = 4
	reserveSize  = 64 << 10
)

// reserve is room for wishes that have something stop or go when the disk is full. Who fills
// it is often a service, and refusing to write down that it is to be stopped would leave the
// disk full. Its files were written in full while there was room, so that to write over their
// beginning asks nothing of a file system that writes in place.
type reserve struct {
	dir string

	mu    sync.Mutex
	ready []string
}

// fill makes the files that are missing, as far as there is room for them: what cannot be made
// now is tried again with the next wish.
func (r *reserve) fill() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ready) == reserveFiles {
		return
	}
	r.ready = r.ready[:0]
	for i := range reserveFiles {
		path := filepath.Join(r.dir, fmt.Sprintf(".reserve.%d", i))
		if whole(path) || os.WriteFile(path, make([]byte, reserveSize), 0o600) == nil {
			r.ready = append(r.ready, path)
		} else {
			os.Remove(path)
		}
	}
}

func whole(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Size() == reserveSize
}

// publish replaces the file at path durably, as publish.Durable does, by one of the reserve.
func (r *reserve) publish(path string, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.ready) == 0 || len(data) > reserveSize {
		return errors.New("the room that is kept for a full disk is used up, or too small")
	}
	last := len(r.ready) - 1
	spare := r.ready[last]
	r.ready = r.ready[:last]
	if err := overwrite(spare, data); err != nil {
		os.Remove(spare)
		return err
	}
	if err := os.Rename(spare, path); err != nil {
		return err
	}
	return publish.SyncDir(filepath.Dir(path))
}

// overwrite makes data all that is in a file, without giving back its blocks before.
func overwrite(path string, data []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Truncate(int64(len(data)))
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}
