// Package etc holds the configuration file that Nodee is delivered with, so that the binary
// can show it. It is text only: it starts no goroutine and reads nothing.
package etc

import _ "embed"

// NodeeTOML is a configuration file with every key at its default and what it means.
//
//go:embed nodee.toml
var NodeeTOML string
