package settings

import (
	"strings"
	"testing"
)

func TestRenderTellsWhereEachValueCameFrom(t *testing.T) {
	t.Setenv("NODEE_NODE_CLUSTER", "front")
	path := write(t, "cell = 'fbu'\nprefix = '/p'\nnode = {name = 'n', advertise = 'h'}\n[[repository]]\nname = 'r'\nurl = 'http://u:geheim@h/x'")
	s, err := Load(parsed(t, "--unpack-max-bytes", "1048576"), path)
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(`cell = "fbu"  # $:1
prefix = "/p"  # $:2

[node]
name = "n"  # $:3
labels = []  # default
cluster = "front"  # NODEE_NODE_CLUSTER
advertise = "h"  # $:3

[http]
addr = "127.0.0.1:7040"  # default
require_token = "write"  # default
allowed_hosts = []  # default
tls_cert = ""  # default
tls_key = ""  # default
client_ca = ""  # default

[zookeeper]
servers = []  # default
session_timeout = "10s"  # default

[unpack]
max_bytes = "1MiB"  # --unpack-max-bytes
max_files = 500000  # default
max_ratio = 200  # default

[s3]
endpoint = ""  # default
region = ""  # default
credentials_file = ""  # default

[memory_guard]
enabled = false  # default
stall = "500ms"  # default
patience = "10s"  # default

[host]
proc = "/proc"  # default

[coordinator]
addr = "127.0.0.1:7041"  # default

[[repository]]  # $:4
name = "r"
url = "http://u:***@h/x"
layout = "maven2"
groups = []
formats = ["zip", "tar.gz", "tar.zst", "tar.xz"]
`, "$", path)
	if got := Render(s); got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}

func TestRedacted(t *testing.T) {
	for url, want := range map[string]string{
		"http://h/a@b:c@d":     "http://h/a@b:c@d",
		"http://u:p@h/x":       "http://u:***@h/x",
		"https://u:p%40q@h":    "https://u:***@h",
		"https://token@h/x":    "https://***@h/x",
		"https://token:@h/x":   "https://token:***@h/x",
		"http://u:p@h:bad/x":   "***",
		"http://[::1]:80/a%2F": "http://[::1]:80/a%2F",
	} {
		if got := (Repository{URL: url}).Redacted(); got != want {
			t.Errorf("%s is shown as %s, want %s", url, got, want)
		}
	}
}
