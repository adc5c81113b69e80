package settings

import (
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

// TestWrongFiles holds each wrong file against all of its faults. "$" is the file's path.
func TestWrongFiles(t *testing.T) {
	repository := "[[repository]]\nname = 'central'\nurl = 'http://h'\n"
	for name, c := range map[string]struct {
		document string
		want     []string
	}{
		"unknown key":           {"\ncel = 'x'", []string{"cel: is no key of the configuration, did you mean cell? ($:2)"}},
		"case matters":          {"Cell = 'x'", []string{"Cell: is no key of the configuration, did you mean cell? ($:1)"}},
		"case of a table":       {"[Node]\nname = 'x'", []string{"Node: is no key of the configuration, did you mean node? ($:1)"}},
		"unknown table":         {"[database]\nx = 1\ny = 2", []string{"database: is no key of the configuration ($:1)"}},
		"key of another table":  {"[node]\nsession_timeout = '5s'", []string{"node.session_timeout: is no key of the configuration, did you mean zookeeper.session_timeout? ($:2)"}},
		"dots inside a name":    {"'node.name' = 'x'", []string{`"node.name": is no key of the configuration, did you mean node.name? ($:1)`}},
		"number for text":       {"cell = 5", []string{"cell: is a whole number, expected a string ($:1)"}},
		"text for a number":     {"[unpack]\nmax_files = '5'", []string{"unpack.max_files: is a string, expected a whole number ($:2)"}},
		"fraction":              {"[unpack]\n\nmax_ratio = 1.5", []string{"unpack.max_ratio: is a number with a fraction, expected a whole number ($:3)"}},
		"text for a list":       {"[http]\nallowed_hosts = 'a,b'", []string{`http.allowed_hosts: is a string, expected a list of strings such as ["a", "b"] ($:2)`}},
		"list of numbers":       {"[node]\nlabels = [1]", []string{`node.labels: is a list, expected a list of strings such as ["a", "b"] ($:2)`}},
		"number for a duration": {"[zookeeper]\nsession_timeout = 10", []string{`zookeeper.session_timeout: is a whole number, expected a duration in quotes such as "300ms", "10s" or "5m" ($:2)`}},
		"duration without unit": {"zookeeper.session_timeout = '10'", []string{`zookeeper.session_timeout: "10" is no duration, expected one such as "300ms", "10s", "5m" or "2h" ($:1)`}},
		"session too short":     {"[zookeeper]\nsession_timeout = '999ms'", []string{"zookeeper.session_timeout: is 999ms, expected 1s to 5m ($:2)"}},
		"session too long":      {"[zookeeper]\nsession_timeout = '301s'", []string{"zookeeper.session_timeout: is 5m1s, expected 1s to 5m ($:2)"}},
		"server with a scheme":  {"[zookeeper]\nservers = ['zk://zk1:2181']", []string{`zookeeper.servers: "zk://zk1:2181" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`}},
		"servers of all kinds": {"[zookeeper]\nservers = ['zk1', 'zk1:2181/nodee', '::1', 'zk2:0', 'zk2:65536', '', 'a b', ':2181']", []string{
			`zookeeper.servers: "zk1:2181/nodee" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: "::1" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: "zk2:0" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: "zk2:65536" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: "" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: "a b" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`,
			`zookeeper.servers: ":2181" is no server, expected host:port such as zk1.example.com:2181, or a host alone for port 2181; without scheme and path ($:2)`}},
		"server twice": {"[zookeeper]\nservers = ['zk1', '[::1]:2181', 'ZK1:02181', '[::1]:2181']", []string{
			"zookeeper.servers: has the server zk1:2181 twice ($:2)", "zookeeper.servers: has the server [::1]:2181 twice ($:2)"}},
		"negative size":     {"[unpack]\nmax_bytes = -1", []string{`unpack.max_bytes: "-1" is negative ($:2)`}},
		"wrong unit":        {"[unpack]\nmax_bytes = '8GB'", []string{`unpack.max_bytes: "8GB" is no size, expected one such as "64KiB", "10MiB", "8GiB" or a number of bytes ($:2)`}},
		"true for a size":   {"[unpack]\nmax_bytes = true", []string{`unpack.max_bytes: is true or false, expected a size such as "64KiB" or "8GiB", or a number of bytes ($:2)`}},
		"no files at all":   {"[unpack]\nmax_files = 0", []string{"unpack.max_files: is 0, expected more than 0 ($:2)"}},
		"value for a table": {"node = 'x'", []string{"node: is a string, expected a table: [node] ($:1)"}},
		"table for a value": {"[cell]\nx = 1", []string{"cell: is a table, expected a string ($:1)"}},
		"reserved tables": {"[grpc_server]\naddr = 'x'\n[scheduler]", []string{
			"grpc_server: is not supported yet, remove it ($:1)", "scheduler: is not supported yet, remove it ($:3)"}},
		"cell no name": {"cell = 'Fbu'", []string{`cell: "Fbu" is no name, expected [a-z][a-z0-9_-]{0,62} ($:1)`}},
		"relative":     {"prefix = 'var'", []string{`prefix: is "var", expected an absolute path ($:1)`}},
		"node name":    {"[node]\nname = 'A'", []string{`node.name: "A" is no node name, expected [a-z0-9][a-z0-9._-]{0,252} ($:2)`}},
		"cluster":      {"[node]\ncluster = ''", []string{`node.cluster: "" is no name, expected [a-z][a-z0-9_-]{0,62} ($:2)`}},
		"label":        {"[node]\nlabels = ['a=b', 'rack']", []string{`node.labels: "rack" is no label, expected key=value such as rack=r1 ($:2)`}},
		"label twice":  {"[node]\nlabels = ['a=b', 'a=c']", []string{`node.labels: has the key "a" twice ($:2)`}},
		"advertise":    {"[node]\nadvertise = 'http://h'", []string{`node.advertise: "http://h" is no host, expected a host name or an address, without scheme and port ($:2)`}},
		"no port":      {"[http]\naddr = 'localhost'", []string{`http.addr: is "localhost", expected host:port such as 127.0.0.1:7040, port 0 for a free one ($:2)`}},
		"guard's stall": {"[memory_guard]\nenabled = 'yes'\nstall = '3s'\npatience = '10ms'", []string{"memory_guard.enabled: is a string, expected true or false ($:2)",
			"memory_guard.stall: is 3s, expected 50ms to 2s ($:3)", "memory_guard.patience: is 10ms, expected 1s to 10m ($:4)"}},
		"proc":           {"[host]\nproc = 'proc'", []string{`host.proc: is "proc", expected an absolute path such as /proc ($:2)`}},
		"endpoint":       {"[s3]\nendpoint = 'https://u:p@s3.example.com'", []string{"s3.endpoint: is no endpoint, expected a URL such as https://s3.example.com, without user, password and path ($:2)"}},
		"bare endpoint":  {"[s3]\nendpoint = 's3.example.com:9000'", []string{"s3.endpoint: is no endpoint, expected a URL such as https://s3.example.com, without user, password and path ($:2)"}},
		"high port":      {"[coordinator]\naddr = ':65536'", []string{`coordinator.addr: is ":65536", expected host:port such as 127.0.0.1:7040, port 0 for a free one ($:2)`}},
		"token class":    {"[http]\nrequire_token = 'always'", []string{`http.require_token: is "always", expected "read", "write" or "never" ($:2)`}},
		"host with port": {"[http]\nallowed_hosts = ['h:80']", []string{`http.allowed_hosts: "h:80" is no host, expected a host name or an address, without scheme and port ($:2)`}},
		"no key":         {"[http]\ntls_cert = 'c'", []string{"http.tls_key: is missing, http.tls_cert needs it (default)"}},
		"no certificate": {"[http]\ntls_key = 'k'", []string{"http.tls_cert: is missing, http.tls_key needs it (default)"}},
		"authority only": {"[http]\nclient_ca = 'c'", []string{"http.client_ca: needs http.tls_cert and http.tls_key: without TLS clients show no certificate ($:2)"}},

		"repository key":         {repository + "format = ['zip']", []string{"repository[0].format: is no key of the configuration, did you mean repository[0].formats? ($:4)"}},
		"repository twice":       {repository + repository, []string{`repository[1].name: "central" is the name of another repository already ($:5)`}},
		"repository empty":       {"\n[[repository]]", []string{"repository[0].name: is missing ($:2)", "repository[0].url: is missing ($:2)"}},
		"repository as a table":  {"[repository]\nname = 'a'", []string{"repository: is a table, expected tables: [[repository]] ($:1)"}},
		"repository scheme":      {"repository = [{name = 'a',\n url = 'ftp://h'}]", []string{"repository[0].url: is no URL, expected one such as https://repo.example.com/releases ($:2)"}},
		"repository layout":      {repository + "layout = 'ivy'", []string{`repository[0].layout: is "ivy", expected "maven2", "flat" or a template with {name} and {version} ($:4)`}},
		"repository placeholder": {repository + "layout = '{name}/{version}/{extension}'", []string{`repository[0].layout: has "{extension}", expected placeholders among {group} {group_path} {name} {version} {classifier} {-classifier} {ext} ($:4)`}},
		"repository climbs":      {repository + "layout = '../{name}/{version}'", []string{`repository[0].layout: is "../{name}/{version}", expected a relative path of placeholders and plain characters ($:4)`}},
		"repository brace":       {repository + "layout = '{name}/{version}/{ext'", []string{`repository[0].layout: is "{name}/{version}/{ext", expected a relative path of placeholders and plain characters ($:4)`}},
		"repository groups":      {repository + "groups = ['com.example.*', 'com/x']", []string{`repository[0].groups: "com/x" is no group, expected one such as "com.example" or "com.example.*" ($:4)`}},
		"repository formats": {repository + "formats = ['zip', 'rar', 'zip']", []string{
			`repository[0].formats: "rar" is no format, expected some of zip, tar.gz, tar.zst, tar.xz ($:4)`, `repository[0].formats: has "zip" twice ($:4)`}},
		"repository no formats": {repository + "formats = []", []string{"repository[0].formats: is empty, expected some of zip, tar.gz, tar.zst, tar.xz ($:4)"}},

		"no TOML":      {"cell = 'x'\ncell 'y'", []string{"config: expected '=' after key ($:2:6)"}},
		"set twice":    {"cell = 'x'\ncell = 'y'", []string{"cell: key cell is already defined ($:2:1)"}},
		"many at once": {"cel = 1\n[node]\nname = 5\ncluster = 'X'", []string{"cel: is no key of the configuration, did you mean cell? ($:1)", "node.name: is a whole number, expected a string ($:3)", `node.cluster: "X" is no name, expected [a-z][a-z0-9_-]{0,62} ($:4)`}},
	} {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.document)
			_, err := Load(nil, path)
			for i := range c.want {
				c.want[i] = strings.ReplaceAll(c.want[i], "$", path)
			}
			wantFaults(t, err, c.want...)
		})
	}
}

func TestWrongEnvironmentAndFlags(t *testing.T) {
	t.Setenv("NODEE_UNPACK_MAX_FILES", "many")
	t.Setenv("NODEE_SCHEDULER_ADDR", "h:1")
	t.Setenv("NODEE_CELL", "")
	fs := parsed(t, "--http-addr", "h", "--zookeeper-session-timeout=soon", "--grpc-server-addr=:1", "--repository", "x", "--repository", "y=http://h,format=zip")
	path := write(t, "node.name = 'UPPER'")
	_, err := Load(fs, path)
	wantFaults(t, err,
		`zookeeper.session_timeout: "soon" is no duration, expected one such as "300ms", "10s", "5m" or "2h" (--zookeeper-session-timeout)`,
		`unpack.max_files: "many" is no whole number (NODEE_UNPACK_MAX_FILES)`,
		"grpc_server.addr: is not supported yet, remove it (--grpc-server-addr)",
		"scheduler.addr: is not supported yet, remove it (NODEE_SCHEDULER_ADDR)",
		"repository: expected name=url, such as central=https://repo.example.com/releases (--repository)",
		`repository: has no option "format", only layout can be given here; the file takes the rest (--repository)`,
		`cell: "" is no name, expected [a-z][a-z0-9_-]{0,62} (NODEE_CELL)`,
		`node.name: "UPPER" is no node name, expected [a-z0-9][a-z0-9._-]{0,252} (`+path+":1)",
		`http.addr: is "h", expected host:port such as 127.0.0.1:7040, port 0 for a free one (--http-addr)`,
	)
}

func TestNoFaultShowsAPassword(t *testing.T) {
	for _, url := range []string{"ftp://u:geheim@h", "http://u:geheim@h/?x", "http://u:geheim@", "http://u:gehe im@h", "u:geheim@h"} {
		_, fromFile := Load(nil, write(t, "[[repository]]\nname = 'a'\nurl = '"+url+"'"))
		_, fromFlag := Load(parsed(t, "--repository", "A="+url, "--repository", url), write(t, ""))
		for _, err := range []error{fromFile, fromFlag} {
			if err == nil {
				t.Fatalf("%s is taken for a URL", url)
			}
			for _, f := range fault.FieldsOf(err) {
				if s, _ := f.Value.(string); strings.Contains(f.Message+s, "gehe") {
					t.Errorf("the fault at %s shows the password: %s", f.Location, f.Message)
				}
			}
		}
	}
}

func TestAFileThatIsNone(t *testing.T) {
	folder := t.TempDir()
	_, err := Load(nil, folder)
	wantFaults(t, err, "config: cannot read the file: read "+folder+": is a directory")
	_, err = Load(nil, "/dev/zero")
	wantFaults(t, err, "config: cannot read the file: /dev/zero is no configuration: larger than 1 MiB")
}
