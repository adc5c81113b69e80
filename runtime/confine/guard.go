package confine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// Guard keeps folders from whatever is started under its Bounds. It may be used by many at once.
type Guard struct {
	abi    int // 0: there is no Landlock
	why    error
	mounts *mounts
	most   int // of what is granted one by one beside the protected folders
}

// New makes a guard of folders, which must be there. Close it in the end.
func New(folders []string) (*Guard, error) {
	real := make([]string, len(folders))
	for i, f := range folders {
		var err error
		if real[i], err = filepath.EvalSymlinks(f); err != nil {
			return nil, fmt.Errorf("cannot protect %s: %w", f, err)
		}
	}
	g := &Guard{mounts: &mounts{folders: real}, most: mostBeside}
	g.abi, g.why = abi()
	if err := g.mounts.open(); err != nil {
		return nil, err
	}
	return g, nil
}

// Close lets go of what the guard looks at. Who is under bounds that it made stays there.
func (g *Guard) Close() error { return g.mounts.close() }

// Landlock says which version of Landlock there is, "abi 7", or "none"; and why there is none, or
// what that version does not prevent.
func (g *Guard) Landlock() (version, why string) {
	if g.abi == 0 {
		return "none", "services are not confined, whatever their spec says: " + g.why.Error()
	}
	switch {
	case g.abi < abiRefer:
		why = "services can rename nothing from one folder to another, and truncate files anywhere; Linux 6.2 and later do better"
	case g.abi < abiTruncate:
		why = "services can truncate files anywhere; Linux 6.2 and later do better"
	}
	return fmt.Sprintf("abi %d", g.abi), why
}

// Bounds is what Enforce puts a thread under. Close it, also after that.
type Bounds struct {
	ruleset       int // -1: there is no Landlock
	newPrivileges bool
}

// Prepare makes the bounds of a process. It may also write the open files (its logs, which
// it has anyway, but may open once more).
func (g *Guard) Prepare(s Subject, files ...uintptr) (*Bounds, error) {
	b := &Bounds{ruleset: -1, newPrivileges: s.NewPrivileges}
	protected, err := g.mounts.protected()
	if err != nil {
		return nil, err
	}
	rules, err := Rules(s, protected)
	if err != nil || g.abi == 0 {
		return b, err
	}
	if b.ruleset, err = makeRuleset(g.abi); err != nil {
		return nil, err
	}
	for _, r := range rules {
		err = errors.Join(err, g.apply(b.ruleset, r, protected))
	}
	for _, fd := range files {
		err = errors.Join(err, grant(b.ruleset, int(fd), g.abi))
	}
	if err != nil {
		b.Close()
		return nil, err
	}
	return b, nil
}

// Close frees what the bounds hold. Who is under them stays there.
func (b *Bounds) Close() {
	if b.ruleset >= 0 {
		unix.Close(b.ruleset)
	}
}

// Enforce puts the calling thread under the bounds, for good, and all that it starts from then on.
func (b *Bounds) Enforce() error {
	if !b.newPrivileges {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("cannot give up new privileges: %w", err)
		}
	}
	if b.ruleset < 0 {
		return nil
	}
	_, _, errno := unix.Syscall(unix.SYS_LANDLOCK_RESTRICT_SELF, uintptr(b.ruleset), 0, 0)
	if errno == unix.EPERM && b.newPrivileges {
		return errNeedsAdmin
	}
	if errno != 0 {
		return fmt.Errorf("cannot confine it: %w", os.NewSyscallError("landlock_restrict_self", errno))
	}
	return nil
}

// errNeedsAdmin wraps unix.EPERM: it will be the same next time.
var errNeedsAdmin = fmt.Errorf("a daemon without CAP_SYS_ADMIN cannot confine what may gain privileges; leave out access.new_privileges: %w", unix.EPERM)
