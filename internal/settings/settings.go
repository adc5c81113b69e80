// Package settings is Nodee's configuration: what can be set, where each value came from,
// and what is wrong with it.
//
// A value is taken from a flag, else from the environment, else from the file, else it is
// the default. Every key stands once, in keys.go: its flag, its variable, its line in
// etc/nodee.toml and its help are made from there. Faults are gathered, so that a person
// sees all of them at once, each with its key and the place it came from.
//
// The package starts no goroutine and watches no file. It refuses to guess: an unknown key,
// a value of another type and a feature that is not built yet are faults, never ignored.
package settings

import (
	"os"
	"path/filepath"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
)

// Settings is the whole configuration of a daemon.
type Settings struct {
	Cell         string // the ZooKeeper namespace that the node belongs to
	Prefix       string // the folder that all of Nodee's files are under: absolute, clean
	Node         Node
	HTTP         HTTP
	ZooKeeper    ZooKeeper
	Repositories []Repository // in the order in which they are asked
	Unpack       Unpack
	S3           S3
	MemoryGuard  MemoryGuard
	Host         Host
	Coordinator  Coordinator

	from origins
}

// Node is what a host says of itself.
type Node struct {
	Name      string   // Load fills in the host's name, in lower case
	Labels    []string // "key=value", each key once
	Cluster   string
	Advertise string // the host name or address for others; Load fills in the host's name
}

// LabelMap returns the labels by their keys.
func (n Node) LabelMap() map[string]string {
	labels := make(map[string]string, len(n.Labels))
	for _, label := range n.Labels {
		key, value, _ := cutLabel(label)
		labels[key] = value
	}
	return labels
}

// HTTP is how the API is served. Empty TLS files mean plain HTTP.
type HTTP struct {
	Addr         string   // host:port; port 0 takes a free one
	RequireToken string   // the lowest access class that needs a token: "read", "write" or "never"
	AllowedHosts []string // Host headers that are answered beside loopback names and Node.Advertise
	TLSCert      string
	TLSKey       string
	ClientCA     string // only clients with a certificate of this authority are answered
}

// ZooKeeper is the way into the cell. Without servers the node stands alone.
type ZooKeeper struct {
	Servers        []string // host:port, or host for port 2181; none twice
	SessionTimeout quantity.Duration
}

// Repository is one place that artifacts are fetched from.
type Repository struct {
	Name    string
	URL     string   // absolute, http or https; may hold a password, so never print it: see Redacted
	Layout  string   // "maven2", "flat" or a template
	Groups  []string // the groups that it serves, "com.example.*"; empty: all
	Formats []string // tried in this order where a reference names no extension
}

// Unpack bounds what an archive may unpack to.
type Unpack struct {
	MaxBytes quantity.Size
	MaxFiles int // entries of every kind
	MaxRatio int // unpacked to packed
}

// S3 is where files of services come from whose source is s3://bucket/key.
type S3 struct {
	Endpoint        string // a URL; empty: Amazon's
	Region          string // empty: the server is asked
	CredentialsFile string // of the form of ~/.aws/credentials; empty: see keys.go
}

// MemoryGuard says whether, and when, services are ended to save the host from thrashing.
type MemoryGuard struct {
	Enabled  bool
	Stall    quantity.Duration // of each 2 s
	Patience quantity.Duration
}

// Host is where the host is looked at.
type Host struct {
	Proc string
}

// Coordinator is what a coordinator serves.
type Coordinator struct {
	Addr string // host:port; port 0 takes a free one
}

// Default returns the configuration of somebody who sets nothing. Prefix depends on who
// asks, and is empty when neither XDG_STATE_HOME nor HOME tells where it could be.
func Default() Settings {
	return Settings{
		Cell:        "cell",
		Prefix:      defaultPrefix(os.Geteuid(), os.Getenv),
		Node:        Node{Labels: []string{}, Cluster: "default"},
		HTTP:        HTTP{Addr: "127.0.0.1:7040", RequireToken: "write", AllowedHosts: []string{}},
		ZooKeeper:   ZooKeeper{Servers: []string{}, SessionTimeout: quantity.Duration(10 * time.Second)},
		Unpack:      Unpack{MaxBytes: 8 << 30, MaxFiles: 500_000, MaxRatio: 200},
		MemoryGuard: MemoryGuard{Stall: quantity.Duration(500 * time.Millisecond), Patience: quantity.Duration(10 * time.Second)},
		Host:        Host{Proc: "/proc"},
		Coordinator: Coordinator{Addr: "127.0.0.1:7041"},
	}
}

func defaultPrefix(uid int, getenv func(string) string) string {
	if uid == 0 {
		return "/var/lib/nodee"
	}
	// The XDG specification has relative paths ignored.
	if state := getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "nodee")
	}
	if home := getenv("HOME"); home != "" {
		return filepath.Join(home, ".local", "state", "nodee")
	}
	return ""
}

// defaultRepository is a repository that only a name and a URL were given for.
func defaultRepository() Repository {
	return Repository{Layout: "maven2", Groups: []string{}, Formats: formats()}
}

// formats lists the formats of archives that can be unpacked, the most telling first.
func formats() []string { return []string{"zip", "tar.gz", "tar.zst", "tar.xz"} }
