package settings

import (
	"strings"

	"github.com/cloudname/nodee/internal/quantity"
)

// A key is one thing that can be set in an S: Settings, or one Repository.
type key[S any] struct {
	name     string // as in the file, with its table: "zookeeper.session_timeout"
	usage    string // what it means: the flag's help and the comment in etc/nodee.toml
	word     string // what the flag's help calls a value
	get      func(*S) any
	set      func(*S, any)             // the value is one that get, fromText or fromTOML returned
	fromText func(string) (any, error) // from a flag or the environment
	fromTOML func(any) (any, error)    // from the file
}

// newKey makes the key of the field that at points to.
func newKey[S, T any](name string, k kind[T], at func(*S) *T, usage string) key[S] {
	return key[S]{
		name: name, usage: usage, word: k.word,
		get:      func(s *S) any { return *at(s) },
		set:      func(s *S, v any) { *at(s) = v.(T) },
		fromText: func(s string) (any, error) { return k.fromText(s) },
		fromTOML: func(v any) (any, error) {
			t, ok, err := k.fromTOML(v)
			if !ok {
				return nil, &typeError{got: v, expected: k.expected}
			}
			return t, err
		},
	}
}

// typeError says that a TOML value is of the wrong type.
type typeError struct {
	got      any
	expected string
}

func (e *typeError) Error() string { return "is " + typeOf(e.got) + ", expected " + e.expected }

// flag returns the name of k's flag: "zookeeper-session-timeout".
func (k key[S]) flag() string { return strings.NewReplacer(".", "-", "_", "-").Replace(k.name) }

// variable returns the name of k's variable: "NODEE_ZOOKEEPER_SESSION_TIMEOUT".
func (k key[S]) variable() string {
	return "NODEE_" + strings.ToUpper(strings.ReplaceAll(k.name, ".", "_"))
}

// keys are all keys but the tables, in the order of the file.
var keys = []key[Settings]{
	newKey("cell", text, func(s *Settings) *string { return &s.Cell },
		"the cell that this node belongs to: a namespace in ZooKeeper"),
	newKey("prefix", text, func(s *Settings) *string { return &s.Prefix },
		"the folder that all of Nodee's files are under; who is not root has $XDG_STATE_HOME/nodee, else ~/.local/state/nodee"),

	newKey("node.name", text, func(s *Settings) *string { return &s.Node.Name },
		"this node's name; empty: the host's name in lower case"),
	newKey("node.labels", list, func(s *Settings) *[]string { return &s.Node.Labels },
		`what jobs may ask for in a node, such as "rack=r1"`),
	newKey("node.cluster", text, func(s *Settings) *string { return &s.Node.Cluster },
		"the set of equal nodes that this one belongs to"),
	newKey("node.advertise", text, func(s *Settings) *string { return &s.Node.Advertise },
		"the name or address where others reach this node; empty: the host's name"),

	newKey("http.addr", text, func(s *Settings) *string { return &s.HTTP.Addr },
		"where the API is served, host:port; port 0 takes a free one"),
	newKey("http.require_token", text, func(s *Settings) *string { return &s.HTTP.RequireToken },
		`the lowest access class that needs a token: "read", "write" or "never"`),
	newKey("http.allowed_hosts", list, func(s *Settings) *[]string { return &s.HTTP.AllowedHosts },
		"Host headers that are answered beside loopback names and node.advertise"),
	newKey("http.tls_cert", text, func(s *Settings) *string { return &s.HTTP.TLSCert },
		"the certificate's file (PEM); empty: plain HTTP"),
	newKey("http.tls_key", text, func(s *Settings) *string { return &s.HTTP.TLSKey },
		"the file of the certificate's key (PEM)"),
	newKey("http.client_ca", text, func(s *Settings) *string { return &s.HTTP.ClientCA },
		"the file (PEM) of the authority whose certificates clients must show; empty: clients need none"),

	newKey("zookeeper.servers", list, func(s *Settings) *[]string { return &s.ZooKeeper.Servers },
		"the ensemble, host:port each, or host for port 2181; empty: this node stands alone"),
	newKey("zookeeper.session_timeout", duration, func(s *Settings) *quantity.Duration { return &s.ZooKeeper.SessionTimeout },
		"how long the cell waits for a node that it does not hear from, 1s to 5m; the servers grant 2 to 20 of their ticks"),

	newKey("unpack.max_bytes", size, func(s *Settings) *quantity.Size { return &s.Unpack.MaxBytes },
		"the most that one archive may unpack to"),
	newKey("unpack.max_files", count, func(s *Settings) *int { return &s.Unpack.MaxFiles },
		"the most entries, of every kind, in one archive"),
	newKey("unpack.max_ratio", count, func(s *Settings) *int { return &s.Unpack.MaxRatio },
		"the most that one archive may grow by: unpacked to packed"),

	newKey("s3.endpoint", text, func(s *Settings) *string { return &s.S3.Endpoint },
		"the server of files with a source s3://bucket/key, a URL such as https://s3.example.com; empty: Amazon's"),
	newKey("s3.region", text, func(s *Settings) *string { return &s.S3.Region },
		"the region of its buckets; empty: it is asked"),
	newKey("s3.credentials_file", text, func(s *Settings) *string { return &s.S3.CredentialsFile },
		"who asks it, in the form of ~/.aws/credentials; empty: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the daemon's environment, else ~/.aws/credentials, else for Amazon the machine's role, else nobody in particular"),

	newKey("memory_guard.enabled", toggle, func(s *Settings) *bool { return &s.MemoryGuard.Enabled },
		"whether a service is ended when the host thrashes: one over its memory_peak, else over its memory_expected, else the one of the least value"),
	newKey("memory_guard.stall", duration, func(s *Settings) *quantity.Duration { return &s.MemoryGuard.Stall },
		"the host thrashes when nothing could go on, for want of memory, for so much of every 2s (\"full\" in /proc/pressure/memory), 50ms to 2s"),
	newKey("memory_guard.patience", duration, func(s *Settings) *quantity.Duration { return &s.MemoryGuard.Patience },
		"for how long it must thrash before a service is ended, and again before the next one is, 1s to 10m"),

	newKey("host.proc", text, func(s *Settings) *string { return &s.Host.Proc },
		"where the memory guard looks at the host; another than /proc is for tests"),

	newKey("coordinator.addr", text, func(s *Settings) *string { return &s.Coordinator.Addr },
		"where a coordinator serves its API, host:port; port 0 takes a free one"),
}

// repositoryKeys are the keys of one [[repository]].
var repositoryKeys = []key[Repository]{
	newKey("name", text, func(r *Repository) *string { return &r.Name },
		"what requests and answers call the repository"),
	newKey("url", text, func(r *Repository) *string { return &r.URL },
		"where it is: http or https, with user:password@ if it needs them"),
	newKey("layout", text, func(r *Repository) *string { return &r.Layout },
		`"maven2": com/example/web/1.2.0/web-1.2.0.zip; "flat": com.example/web/1.2.0/web-1.2.0.zip; or a template such as "{group}/{name}/{version}/{name}-{version}{-classifier}.{ext}"`),
	newKey("groups", list, func(r *Repository) *[]string { return &r.Groups },
		`the groups that it serves, such as "com.example.*"; empty: all`),
	newKey("formats", list, func(r *Repository) *[]string { return &r.Formats },
		"the extensions that are tried, in this order, where a reference names none"),
}

// laterTables are reserved: what they will configure is not built yet.
var laterTables = []string{"grpc_server", "scheduler"}

// laterKeys are the keys of laterTables, as far as flags and the environment can name them.
var laterKeys = []key[Settings]{
	newKey[Settings]("grpc_server.addr", text, nil, notYet),
	newKey[Settings]("grpc_server.use_tls", text, nil, notYet),
	newKey[Settings]("grpc_server.crt_file", text, nil, notYet),
	newKey[Settings]("grpc_server.key_file", text, nil, notYet),
	newKey[Settings]("scheduler.addr", text, nil, notYet),
}

const notYet = "is not supported yet, remove it"
