// Package artifact is the vocabulary of software that is installed: how an artifact is
// named (Ref), where it stands (ID), what its archive is known by (Digest), and what is
// known of it once it is installed (Artifact).
//
// It does no I/O and starts no goroutine; the tree on disk is package tree, the way from a
// repository into it package fetch. It refuses names that do not fit the grammar, so that
// whatever has been parsed can be a file's name.
package artifact

import "time"

// Artifact is one installed version.
type Artifact struct {
	ID
	Path        string    // the version's own folder, absolute
	SizeBytes   int64     // of all regular files
	Files       int       // how many regular files
	SHA256      string    // of the archive as downloaded, in lower case; empty: not known any more
	Repository  string    // the name of the repository that it came from
	InstalledAt time.Time // in UTC
}
