package process

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/cloudname/nodee/runtime/supervise"
)

// record is what a handle says.
type record struct {
	Boot   string `json:"boot"`            // the boot of the machine
	Prefix string `json:"prefix"`          // whose it is: the hash of the prefix
	Name   string `json:"name"`            // the start: kind:name@start
	PID    int    `json:"pid"`             // the main process; 0 when it is not known
	Began  uint64 `json:"began"`           // its start time in clock ticks since boot
	Inode  uint64 `json:"inode,omitempty"` // of its pidfd, where that is unique
	Group  string `json:"group,omitempty"` // its control group's folder, where it has one
}

func (r record) handle() supervise.Handle {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err) // strings and numbers always can be written
	}
	return b
}

// same tells whether two records speak of the same process.
func (r record) same(other record) bool {
	return r.Boot == other.Boot && r.PID == other.PID && r.Began == other.Began
}

// readHandle reads a handle and refuses what no launcher of this prefix wrote.
func (l *Launcher) readHandle(h supervise.Handle) (record, error) {
	var r record
	err := json.Unmarshal(h, &r)
	if err == nil {
		_, err = parseName(r.Name)
	}
	if err == nil && r.Prefix != l.prefix {
		err = fmt.Errorf("%q is another prefix", r.Prefix)
	}
	if err == nil && r.Group != "" && !strings.HasSuffix(r.Group, "/"+l.folder+"/"+r.Name) {
		err = fmt.Errorf("%s is no control group of this prefix", r.Group)
	}
	if err != nil {
		return r, fmt.Errorf("%w: %q: %w", supervise.ErrForeign, h, err)
	}
	return r, nil
}

// markOf is what the processes of a start carry in their environment. The prefix is in it,
// because a copy of a prefix has records of starts that are the other's.
func markOf(prefix, start string) string { return prefix + "." + start }

// maxName is how long a folder's name may be.
const maxName = 255

// nameOf names a start's group after its key: kind:name@start.
func nameOf(key supervise.Key) (string, error) {
	name := key.Kind + ":" + key.Name + "@" + key.Start
	if back, err := parseName(name); err != nil || back != key {
		return "", fmt.Errorf("cannot start under the key %q: kind, name and start must not be empty, a kind holds no colon, a start no @, none of them a slash or control character", name)
	}
	return name, nil
}

// parseName is the reverse of nameOf.
func parseName(s string) (supervise.Key, error) {
	kind, rest, colon := strings.Cut(s, ":")
	at := strings.LastIndexByte(rest, '@')
	plain := !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '/' || r == 0x7f })
	if !colon || kind == "" || kind[0] == '.' || at < 1 || at == len(rest)-1 || !plain || len(s) > maxName {
		return supervise.Key{}, fmt.Errorf("%q names no start", s)
	}
	return supervise.Key{Kind: kind, Name: rest[:at], Start: rest[at+1:]}, nil
}
