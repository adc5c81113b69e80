package store

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// Prefix is the folder that all of a daemon's files are under, locked: no second daemon
// uses it as long as this one is open.
type Prefix struct {
	Dir   string // absolute
	ID    string // the node's id, made once
	Token string // what callers must know to change anything

	real string // Dir without links on the way to it
	lock *os.File
}

// Where things are below a prefix.
const (
	softwareDir = "software"
	runtimeDir  = "runtime"
	logsDir     = "logs"
	stateDir    = "state"
)

// Software is the folder of the artifacts.
func (p *Prefix) Software() string { return filepath.Join(p.Dir, softwareDir) }

// Runtime is the folder of the services' working directories.
func (p *Prefix) Runtime() string { return filepath.Join(p.Dir, runtimeDir) }

// Logs is the folder of the services' logs.
func (p *Prefix) Logs() string { return filepath.Join(p.Dir, logsDir) }

// State is the daemon's own folder.
func (p *Prefix) State() string { return filepath.Join(p.Dir, stateDir) }

// TokenFile is where a client on the same host finds the token of the daemon at prefix.
func TokenFile(prefix string) string { return filepath.Join(prefix, stateDir, "token") }

// AddressFile is where the daemon at prefix says where it listens.
func AddressFile(prefix string) string { return filepath.Join(prefix, stateDir, "http") }

// Hash stands for the prefix in names outside of it, so that several on one machine never
// meet. It is the same by whatever link the prefix was opened: its services are found by it.
func (p *Prefix) Hash() string {
	sum := sha256.Sum256([]byte(p.real))
	return hex.EncodeToString(sum[:])[:12]
}

// Holder is who opens a prefix.
type Holder struct {
	Anchor int      // the pid of the daemon's anchor, the process to signal; 0: there is none
	Lock   *os.File // the lock of a daemon that was replaced by this one; nil: none
}

// OpenPrefix makes what is missing below dir and locks it. A second daemon gets a
// fault.Conflict that names the pid of the first.
func OpenPrefix(dir string, by Holder) (*Prefix, error) {
	p := &Prefix{Dir: filepath.Clean(dir)}
	for _, f := range []struct {
		path string
		mode os.FileMode
	}{{p.Dir, 0o755}, {p.State(), 0o700}, {p.Runtime(), 0o755}, {p.Logs(), 0o755}} { // the prefix first: not closed as its state is
		if err := os.MkdirAll(f.path, f.mode); err != nil {
			return nil, full(fmt.Errorf("cannot make the folder of the prefix: %w; choose another one with --prefix", err))
		}
	}
	err := os.Chmod(p.State(), 0o700)
	if err != nil {
		return nil, fmt.Errorf("cannot close the state folder to others: %w", err)
	}
	if p.real, err = filepath.EvalSymlinks(p.Dir); err != nil {
		return nil, fmt.Errorf("cannot find the folder of the prefix: %w", err)
	}
	if err := p.acquire(by); err != nil {
		return nil, err
	}
	err = errors.Join(p.identity(), p.token())
	if err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// Close gives the prefix free for another daemon.
func (p *Prefix) Close() error { return p.lock.Close() }

// identity is what makes this node the same one after a restart, whatever its name.
func (p *Prefix) identity() error {
	path := filepath.Join(p.State(), "identity")
	var id struct {
		ID string `json:"id"`
	}
	b, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(b, &id); err != nil || id.ID == "" {
			return fmt.Errorf("cannot read the node's identity: %s holds no id; restore it, or remove it to make the node a new one", path)
		}
		p.ID = id.ID
		return nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the node's identity: %w", err)
	}
	id.ID = uuid.NewString()
	b, err = json.Marshal(id)
	if err != nil {
		return err
	}
	p.ID = id.ID
	return full(publish.Durable(path, append(b, '\n'), 0o600))
}

// token makes the token at the first start. Whoever can read its file may use it.
func (p *Prefix) token() error {
	path := TokenFile(p.Dir)
	b, err := os.ReadFile(path)
	if err == nil {
		if p.Token = strings.TrimSpace(string(b)); p.Token == "" {
			return fmt.Errorf("%s is empty; remove it, and the next start makes a new token", path)
		}
		return os.Chmod(path, 0o600)
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot read the token: %w", err)
	}
	p.Token = rand.Text()
	return full(publish.Durable(path, []byte(p.Token+"\n"), 0o600))
}

// SayAddress writes down where the daemon listens.
func (p *Prefix) SayAddress(url string) error {
	file, text := AddressFile(p.Dir), []byte(url+"\n")
	// Most daemons serve where the one before did, and callers wait for it to be synced.
	if said, err := os.ReadFile(file); err == nil && bytes.Equal(said, text) {
		return nil
	}
	return publish.Atomic(file, text, 0o644)
}

// full marks errors that come from a full disk as such.
func full(err error) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return fault.Mark(fault.Full, "disk-full", err)
	}
	return err
}
