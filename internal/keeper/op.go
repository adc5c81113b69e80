package keeper

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Limits of one Apply. A server hangs up on what is larger than 1 MiB, so that the request
// looks like a lost connection, for ever; these stay far below.
const (
	MaxBytes = 256 << 10 // of paths, data and what the protocol adds
	MaxOps   = 100
)

// AnyVersion is for who does not care which version is there.
const AnyVersion int32 = -1

// Kind says what an operation does.
type Kind string

// The kinds.
const (
	KindCreate          Kind = "create"
	KindCreateEphemeral Kind = "create ephemeral"
	KindSet             Kind = "set"
	KindDelete          Kind = "delete"
	KindCheck           Kind = "check"
)

// Op is one of the operations that Apply does together.
type Op struct {
	Kind    Kind
	Path    string
	Data    []byte
	Version int32 // what must be there, or AnyVersion; of no meaning for a creation
}

// Create makes a persistent node; what it is below must be there.
func Create(path string, data []byte) Op { return Op{Kind: KindCreate, Path: path, Data: data} }

// CreateEphemeral makes a node that ends with the session.
func CreateEphemeral(path string, data []byte) Op {
	return Op{Kind: KindCreateEphemeral, Path: path, Data: data}
}

// Set replaces the data of a node that has the version, and raises that by one.
func Set(path string, data []byte, version int32) Op {
	return Op{Kind: KindSet, Path: path, Data: data, Version: version}
}

// Delete removes a node that has the version and nothing below it.
func Delete(path string, version int32) Op {
	return Op{Kind: KindDelete, Path: path, Version: version}
}

// Check changes nothing, and fails unless the node is there and has the version.
func Check(path string, version int32) Op {
	return Op{Kind: KindCheck, Path: path, Version: version}
}

// Creates tells whether the operation makes a node that is not there yet.
func (o Op) Creates() bool { return o.Kind == KindCreate || o.Kind == KindCreateEphemeral }

// String names the operation without its data: "set /a at version 3".
func (o Op) String() string {
	if o.Creates() || o.Version == AnyVersion {
		return string(o.Kind) + " " + o.Path
	}
	return fmt.Sprintf("%s %s at version %d", o.Kind, o.Path, o.Version)
}

// opOverhead is more than what the protocol adds to an operation's path and data: its header,
// lengths, flags and the ACL.
const opOverhead = 96

// CheckOps tells whether Apply may be asked for ops: for keepers, before they send anything.
func CheckOps(ops []Op) error {
	if len(ops) > MaxOps {
		return fmt.Errorf("cannot apply %d operations at once: %w: at most %d", len(ops), ErrTooLarge, MaxOps)
	}
	size := 0
	for i, o := range ops {
		err := CheckPath(o.Path)
		if err == nil && o.Path == "/" && o.Kind != KindCheck {
			err = ErrInvalid
		}
		if err != nil {
			return &OpError{Index: i, Op: o, Err: err}
		}
		if size += opOverhead + len(o.Path) + len(o.Data); size > MaxBytes {
			return fmt.Errorf("cannot apply %d operations, up to %q: %w: at most %d bytes", len(ops), o.Path, ErrTooLarge, MaxBytes)
		}
	}
	return nil
}

// CheckPath tells whether there can be a node at path: it begins with a slash and does not
// end in one, no name in it is empty, "." or "..", nor holds what no server takes.
func CheckPath(path string) error {
	rest, absolute := strings.CutPrefix(path, "/")
	switch {
	case path == "/":
		return nil
	case !absolute || !utf8.ValidString(path):
		return fmt.Errorf("%w: %q", ErrInvalid, path)
	}
	for name := range strings.SplitSeq(rest, "/") {
		if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, unnameable) {
			return fmt.Errorf("%w: %q", ErrInvalid, path)
		}
	}
	return nil
}

// unnameable are the runes that ZooKeeper refuses in names.
func unnameable(r rune) bool {
	return r <= 0x1f || r >= 0x7f && r <= 0x9f || r >= 0xd800 && r <= 0xf8ff || r >= 0xfff0 && r <= 0xffff
}

// Confirm asks a majority of the servers. Once it has returned nil, what this session reads
// is no older than the call, and the session had not expired at its beginning.
//
// A read will not do: a server that is cut off from its leader goes on answering for seconds
// after the others have dropped the session. Nor will ZooKeeper's sync: a leader that is cut
// off answers it alone. A check, though it changes nothing, is agreed on like a write.
func Confirm(ctx context.Context, t Tree) error {
	_, err := t.Apply(ctx, Check("/", AnyVersion))
	return err
}

// MakeParents makes the persistent nodes that dir needs to be there, dir among them. Those
// that are there already stay as they are.
func MakeParents(ctx context.Context, t Tree, dir string) error {
	var missing []string
	for ; dir != "/"; dir = path.Dir(dir) {
		_, there, err := t.Exists(ctx, dir, nil)
		if err != nil {
			return err
		}
		if there {
			break
		}
		missing = append(missing, dir)
	}
	for _, dir := range slices.Backward(missing) {
		// One by one: others make the same ones at the same time.
		if _, err := t.Apply(ctx, Create(dir, nil)); err != nil && !errors.Is(err, ErrNodeExists) {
			return err
		}
	}
	return nil
}
