package settings

import (
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
)

// TestMain takes away what the person who runs the tests has set for their own node.
func TestMain(m *testing.M) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "NODEE_") {
			os.Unsetenv(name)
		}
	}
	os.Exit(m.Run())
}

// write makes a configuration file of a test.
func write(t *testing.T, document string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "nodee.toml")
	if err := os.WriteFile(path, []byte(document), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// parsed returns the flags of a command line.
func parsed(t *testing.T, args ...string) *pflag.FlagSet {
	t.Helper()
	fs := pflag.NewFlagSet("nodee", pflag.ContinueOnError)
	Flags(fs)
	if err := fs.Parse(args); err != nil {
		t.Fatal(err)
	}
	return fs
}

// same compares without regard to where values came from.
func same[T any](t *testing.T, got, want T) {
	t.Helper()
	for _, v := range []any{&got, &want} {
		if s, ok := v.(*Settings); ok {
			s.from = nil
		}
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

func TestEverythingThatAFileCanSay(t *testing.T) {
	got, err := Load(nil, write(t, `
cell = "fbu"
prefix = "/srv/nodee/"
[node]
name = "web-1.example.com"
labels = ["rack=r1", "zone=a=b"]
cluster = "front"
advertise = "10.0.0.1"
[http]
addr = "[::1]:0"
require_token = "read"
allowed_hosts = ["nodee.example.com", "::1"]
tls_cert = "/c.pem"
tls_key = "/k.pem"
client_ca = "/ca.pem"
[zookeeper]
servers = ["zk1.example.com", "10.0.0.2:2182", "[::1]:2181"]
session_timeout = "1m"
[[repository]]
name = "central"
url = "https://u:p@repo.example.com/releases"
layout = "{group}/{name}-{version}{-classifier}.{ext}"
groups = ["com.example.*", "org"]
formats = ["tar.xz", "zip"]
[[repository]]
name = "other"
url = "http://127.0.0.1:8081"
[unpack]
max_bytes = 1048576
max_files = 10
max_ratio = 3
[s3]
endpoint = "https://s3.example.com:9000"
region = "eu-north-1"
credentials_file = "/etc/nodee/s3"
[memory_guard]
enabled = true
stall = "1s"
patience = "30s"
[host]
proc = "/host/proc"
[coordinator]
addr = ":7041"
`))
	if err != nil {
		t.Fatal(err)
	}
	same(t, got, Settings{
		Cell: "fbu", Prefix: "/srv/nodee",
		Node: Node{Name: "web-1.example.com", Labels: []string{"rack=r1", "zone=a=b"}, Cluster: "front", Advertise: "10.0.0.1"},
		HTTP: HTTP{Addr: "[::1]:0", RequireToken: "read", AllowedHosts: []string{"nodee.example.com", "::1"},
			TLSCert: "/c.pem", TLSKey: "/k.pem", ClientCA: "/ca.pem"},
		ZooKeeper: ZooKeeper{Servers: []string{"zk1.example.com", "10.0.0.2:2182", "[::1]:2181"}, SessionTimeout: quantity.Duration(time.Minute)},
		Repositories: []Repository{
			{Name: "central", URL: "https://u:p@repo.example.com/releases", Layout: "{group}/{name}-{version}{-classifier}.{ext}",
				Groups: []string{"com.example.*", "org"}, Formats: []string{"tar.xz", "zip"}},
			{Name: "other", URL: "http://127.0.0.1:8081", Layout: "maven2", Groups: []string{}, Formats: formats()},
		},
		Unpack:      Unpack{MaxBytes: 1 << 20, MaxFiles: 10, MaxRatio: 3},
		S3:          S3{Endpoint: "https://s3.example.com:9000", Region: "eu-north-1", CredentialsFile: "/etc/nodee/s3"},
		MemoryGuard: MemoryGuard{Enabled: true, Stall: quantity.Duration(time.Second), Patience: quantity.Duration(30 * time.Second)},
		Host:        Host{Proc: "/host/proc"},
		Coordinator: Coordinator{Addr: ":7041"},
	})
	same(t, got.Node.LabelMap(), map[string]string{"rack": "r1", "zone": "a=b"})
}

// other has a value for each key that is neither its default nor another source's.
var other = map[string][3]string{ // file, environment, flag
	"cell":                      {`"file"`, "env", "flag"},
	"prefix":                    {`"/file"`, "/env", "/flag"},
	"node.name":                 {`"file"`, "env", "flag"},
	"node.labels":               {`["from=file"]`, "from=env", "from=flag, second=1"},
	"node.cluster":              {`"file"`, "env", "flag"},
	"node.advertise":            {`"file"`, "env", "flag"},
	"http.addr":                 {`"127.0.0.1:1"`, "127.0.0.1:2", "127.0.0.1:3"},
	"http.require_token":        {`"read"`, "never", "read"},
	"http.allowed_hosts":        {`["file"]`, "env", "flag"},
	"http.tls_cert":             {`"/file"`, "/env", "/flag"},
	"http.tls_key":              {`"/file"`, "/env", "/flag"},
	"http.client_ca":            {`"/file"`, "/env", "/flag"},
	"zookeeper.servers":         {`["file:1"]`, "env:1", "flag:1"},
	"zookeeper.session_timeout": {`"1s"`, "2s", "3s"},
	"unpack.max_bytes":          {`"1KiB"`, "2KiB", "3KiB"},
	"unpack.max_files":          {`1`, "2", "3"},
	"unpack.max_ratio":          {`1`, "2", "3"},
	"s3.endpoint":               {`"http://file"`, "http://env", "http://flag"},
	"s3.region":                 {`"file"`, "env", "flag"},
	"s3.credentials_file":       {`"/file"`, "/env", "/flag"},
	"memory_guard.enabled":      {`true`, "true", "true"},
	"memory_guard.stall":        {`"60ms"`, "70ms", "80ms"},
	"memory_guard.patience":     {`"1s"`, "2s", "3s"},
	"host.proc":                 {`"/file"`, "/env", "/flag"},
	"coordinator.addr":          {`"127.0.0.1:1"`, "127.0.0.1:2", "127.0.0.1:3"},
}

// TestPrecedence gives every key in every combination of sources. The faults that the
// values cause together (a certificate without its key) are not what is looked at.
func TestPrecedence(t *testing.T) {
	for _, k := range keys {
		given, ok := other[k.name]
		if !ok {
			t.Fatalf("no values for %s", k.name)
		}
		for sources := range 8 {
			t.Run(k.name+"/"+[]string{"default", "file", "env", "file+env", "flag", "file+flag", "env+flag", "all"}[sources], func(t *testing.T) {
				checkPrecedence(t, k, given, sources)
			})
		}
	}
}

func checkPrecedence(t *testing.T, k key[Settings], given [3]string, sources int) {
	s := Default()
	document, from := "", "default"
	var args []string
	want := textOf(k.get(&s))
	if sources&1 != 0 {
		document = k.name + " = " + given[0] // a dotted key is the same as a table
		want, from = strings.Trim(given[0], `"[]`), "nodee.toml:1"
	}
	if sources&2 != 0 {
		t.Setenv(k.variable(), given[1])
		want, from = given[1], k.variable()
	}
	if sources&4 != 0 {
		args = []string{"--" + k.flag(), given[2]}
		want, from = strings.ReplaceAll(given[2], ", ", ","), "--"+k.flag()
	}
	got, _ := Load(parsed(t, args...), write(t, document))
	if want == "" && (k.name == "node.name" || k.name == "node.advertise") {
		want = textOf(k.get(&got)) // the host's name
	}
	if text := textOf(k.get(&got)); text != want || !strings.HasSuffix(got.from[k.name], from) {
		t.Errorf("%s = %s from %s, want %s from %s", k.name, text, got.from[k.name], want, from)
	}
}

func TestAnEmptyVariableIsAValue(t *testing.T) {
	t.Setenv("NODEE_NODE_LABELS", "")
	got, err := Load(nil, write(t, `node.labels = ["a=b"]`))
	if err != nil || len(got.Node.Labels) != 0 {
		t.Errorf("labels = %q, %v; want none", got.Node.Labels, err)
	}
}

func TestOtherVariablesAreIgnored(t *testing.T) {
	t.Setenv("NODEE_ADDR", "http://127.0.0.1:1")
	t.Setenv("NODEE_CELLS", "BAD NAME")
	if _, err := Load(nil, write(t, "")); err != nil {
		t.Error(err)
	}
}

func TestWhichFile(t *testing.T) {
	named, variable := write(t, `cell = "named"`), write(t, `cell = "variable"`)
	t.Setenv("NODEE_CONFIG", variable)
	for file, want := range map[string]string{named: "named", "": "variable"} {
		if got, err := Load(nil, file); err != nil || got.Cell != want {
			t.Errorf("Load(%q): cell = %q, %v; want %q", file, got.Cell, err, want)
		}
	}
	missing := filepath.Join(t.TempDir(), "missing.toml")
	t.Setenv("NODEE_CONFIG", missing)
	for _, file := range []string{missing, ""} {
		_, err := Load(nil, file)
		wantFaults(t, err, "config: cannot read the file: open "+missing+": no such file or directory")
	}
}

func TestRepositoryFlagsReplaceTheFile(t *testing.T) {
	fs := parsed(t, "--repository", "a=http://h/x,y?", "--repository", "b=https://h,layout={name}={version}")
	_, err := Load(fs, write(t, "[[repository]]\nname = 'file'\nurl = 'http://h'"))
	wantFaults(t, err, "repository[0].url: has a query or a fragment, expected only what stands before an artifact's path (--repository)")

	fs = parsed(t, "--repository", "a=http://h/x,y", "--repository", "b=https://h,layout={name}={version}")
	got, err := Load(fs, write(t, "[[repository]]\nname = 'file'\nurl = 'http://h'"))
	if err != nil {
		t.Fatal(err)
	}
	a, b := defaultRepository(), defaultRepository()
	a.Name, a.URL = "a", "http://h/x,y"
	b.Name, b.URL, b.Layout = "b", "https://h", "{name}={version}"
	same(t, got.Repositories, []Repository{a, b})
}

func TestDefaultPrefix(t *testing.T) {
	for _, c := range []struct {
		uid        int
		home, want string
		state      string
	}{
		{uid: 0, home: "/root", want: "/var/lib/nodee"},
		{uid: 7, home: "/home/x", want: "/home/x/.local/state/nodee"},
		{uid: 7, home: "/home/x", state: "/s", want: "/s/nodee"},
		{uid: 7, home: "/home/x", state: "relative", want: "/home/x/.local/state/nodee"},
		{uid: 7, want: ""},
	} {
		env := map[string]string{"HOME": c.home, "XDG_STATE_HOME": c.state}
		if got := defaultPrefix(c.uid, func(name string) string { return env[name] }); got != c.want {
			t.Errorf("uid %d, HOME %q, XDG_STATE_HOME %q: %q, want %q", c.uid, c.home, c.state, got, c.want)
		}
	}
}

// wantFaults compares the fields of an error with "location: message" lines.
func wantFaults(t *testing.T, err error, want ...string) {
	t.Helper()
	var got []string
	for _, f := range fault.FieldsOf(err) {
		got = append(got, f.Location+": "+f.Message)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("faults:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
