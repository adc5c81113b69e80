package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// Drain says that the node takes no work. It lies over what is desired of the services, and
// changes none of it.
type Drain struct {
	Since       time.Time `json:"since"`
	By          string    `json:"by"`  // who asked for it
	Why         string    `json:"why"` // what for, in the words of who asked
	UntilReboot bool      `json:"until_reboot"`
	Boot        string    `json:"boot"` // of the host, in which it was asked for
	Policy      bool      `json:"-"`    // it is the cell's policy for the node, which nothing here lifts
}

// NodeDrain is whether the node is being drained, on disk and in memory. A change is on disk
// before anyone can read it. All methods may be called at the same time.
type NodeDrain struct {
	path string
	mu   sync.Mutex // held while the file is changed
	now  atomic.Pointer[Drain]
}

// OpenNodeDrain reads the file at path. A drain for a boot that is over is lifted. One that
// cannot be read holds: somebody has asked for it, and a person can lift it.
func OpenNodeDrain(path, boot string, log *slog.Logger) (*NodeDrain, error) {
	n := &NodeDrain{path: path}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return n, nil
	}
	var d Drain
	if err == nil {
		err = json.Unmarshal(b, &d)
	}
	switch {
	case err != nil:
		log.Error("cannot read whether the node is drained; it is taken to be, nodee resume lifts that", "file", path, "err", err)
		d = Drain{Since: time.Now().UTC(), Why: "the record of its drain cannot be read"}
	case d.UntilReboot && d.Boot != boot:
		log.Info("the host was restarted, which ends the node's drain", "since", d.Since)
		return n, n.remove()
	}
	n.now.Store(&d)
	return n, nil
}

// Now is the drain that holds; nil: the node takes work. Nobody changes it.
func (n *NodeDrain) Now() *Drain { return n.now.Load() }

// Begin has the node drained, and tells whether that is anything new. One that outlasts the
// boot is not shortened by one that does not.
func (n *NodeDrain) Begin(d Drain) (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if old := n.now.Load(); old != nil && (!old.UntilReboot || d.UntilReboot) {
		return false, nil
	}
	b, err := json.Marshal(d)
	if err != nil {
		return false, err
	}
	if err := publish.Durable(n.path, append(b, '\n'), 0o600); err != nil {
		return false, fault.Disk(fmt.Errorf("cannot record that the node is drained: %w", err))
	}
	n.now.Store(&d)
	return true, nil
}

// Lift ends the drain, and tells whether there was one.
func (n *NodeDrain) Lift() (bool, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.now.Load() == nil {
		return false, nil
	}
	if err := n.remove(); err != nil {
		return false, err
	}
	n.now.Store(nil)
	return true, nil
}

func (n *NodeDrain) remove() error {
	if err := os.Remove(n.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot end the node's drain: %w", err)
	}
	return publish.SyncDir(filepath.Dir(n.path))
}
