// Package prefix is the folder that a daemon keeps all its files under: its lock, its token,
// and where it says at which address it listens. An agent and a coordinator may share one;
// each has a lock and an address of its own, and both have the same token.
//
// It starts no goroutine, and knows nothing of what the daemons keep below their folders.
package prefix

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// Daemon is one of the two that may share a prefix.
type Daemon string

// The daemons.
const (
	Agent       Daemon = "agent"
	Coordinator Daemon = "coordinator"
)

// file names what each daemon has for itself in the state folder. The agent was there first,
// and has the plain names.
func (d Daemon) file(agents, coordinators string) string {
	if d == Coordinator {
		return coordinators
	}
	return agents
}

// Prefix is the folder that all of a daemon's files are under, locked: no second daemon of
// the same kind uses it as long as this one is open.
type Prefix struct {
	Dir   string // absolute
	Token string // what callers must know to change anything; the daemons of a prefix share it

	daemon Daemon
	real   string // Dir without links on the way to it
	lock   *os.File
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
func AddressFile(prefix string, d Daemon) string {
	return filepath.Join(prefix, stateDir, d.file("http", "coordinator-http"))
}

// Hash stands for the prefix in names outside of it, so that several on one machine never
// meet. It is the same by whatever link the prefix was opened: its services are found by it.
func (p *Prefix) Hash() string {
	sum := sha256.Sum256([]byte(p.real))
	return hex.EncodeToString(sum[:])[:12]
}

// Holder is who opens a prefix.
type Holder struct {
	Daemon Daemon
	Anchor int      // the pid of the daemon's anchor, the process to signal; 0: there is none
	Lock   *os.File // the lock of a daemon that was replaced by this one; nil: none
}

// Open makes what the daemon needs below dir, where it is missing, and locks it. A second
// daemon of the same kind gets a fault.Conflict that names the pid of the first.
func Open(dir string, by Holder) (*Prefix, error) {
	p := &Prefix{Dir: filepath.Clean(dir), daemon: by.Daemon}
	if err := p.folders(); err != nil {
		return nil, err
	}
	if err := p.acquire(by); err != nil {
		return nil, err
	}
	if err := p.token(); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

// folders makes the folders. A coordinator has no services, and leaves theirs to the agent.
func (p *Prefix) folders() error {
	type folder struct {
		path string
		mode os.FileMode
	}
	all := []folder{{p.Dir, 0o755}, {p.State(), 0o700}} // the prefix first: not closed as its state is
	if p.daemon == Agent {
		all = append(all, folder{p.Runtime(), 0o755}, folder{p.Logs(), 0o755})
	}
	for _, f := range all {
		if err := os.MkdirAll(f.path, f.mode); err != nil {
			return fault.Disk(fmt.Errorf("cannot make the folder of the prefix: %w; choose another one with --prefix", err))
		}
	}
	err := os.Chmod(p.State(), 0o700)
	if err != nil {
		return fmt.Errorf("cannot close the state folder to others: %w", err)
	}
	if p.real, err = filepath.EvalSymlinks(p.Dir); err != nil {
		return fmt.Errorf("cannot find the folder of the prefix: %w", err)
	}
	return nil
}

// Close gives the prefix free for another daemon of its kind.
func (p *Prefix) Close() error { return p.lock.Close() }

// token reads the token, and makes it at the first start. Whoever can read its file may use it.
func (p *Prefix) token() error {
	path := TokenFile(p.Dir)
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// The other daemon may start for the first time just now: whose token is there first,
		// is both's.
		if err := publish.New(path, []byte(rand.Text()+"\n"), 0o600); err != nil && !errors.Is(err, fs.ErrExist) {
			return fault.Disk(fmt.Errorf("cannot make the token: %w", err))
		}
		b, err = os.ReadFile(path)
	}
	if err != nil {
		return fmt.Errorf("cannot read the token: %w", err)
	}
	if p.Token = strings.TrimSpace(string(b)); p.Token == "" {
		return fmt.Errorf("%s is empty; remove it, and the next start makes a new token", path)
	}
	return os.Chmod(path, 0o600)
}

// SayAddress writes down where the daemon listens.
func (p *Prefix) SayAddress(url string) error {
	file, text := AddressFile(p.Dir, p.daemon), []byte(url+"\n")
	// Most daemons serve where the one before did, and callers wait for it to be synced.
	if said, err := os.ReadFile(file); err == nil && bytes.Equal(said, text) {
		return nil
	}
	return publish.Atomic(file, text, 0o644)
}
