package cgroup

import (
	"errors"
	"testing"
)

const (
	mountV1     = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	mountV2     = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountBeside = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountBlank  = "41 31 0:38 /docker/abc /mnt/my\\040groups rw - cgroup2 none rw\n"
	mountOther  = "22 23 0:21 / /proc rw,nosuid - proc proc rw\nnonsense\n"
)

func TestParseMounts(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want Hierarchy
	}{
		"nothing":            {"", Hierarchy{Mode: None}},
		"other file systems": {mountOther, Hierarchy{Mode: None}},
		"v1 alone":           {mountOther + mountV1, Hierarchy{Mode: V1}},
		"v2 alone":           {mountOther + mountV2, Hierarchy{V2, "/sys/fs/cgroup", "/"}},
		"v2 beside v1":       {mountV1 + mountBeside + mountV1, Hierarchy{Hybrid, "/sys/fs/cgroup/unified", "/"}},
		"in a container":     {mountBlank, Hierarchy{V2, "/mnt/my groups", "/docker/abc"}},
		"the first v2 wins":  {mountV2 + mountBeside, Hierarchy{V2, "/sys/fs/cgroup", "/"}},
	} {
		if got := parseMounts(c.in); got != c.want {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestLocate(t *testing.T) {
	whole := Hierarchy{V2, "/sys/fs/cgroup", "/"}
	part := Hierarchy{V2, "/cg", "/docker/abc"}
	for name, c := range map[string]struct {
		h        Hierarchy
		in, want string
	}{
		"root":                     {whole, "0::/\n", "/sys/fs/cgroup"},
		"a slice, after v1 lines":  {whole, "9:pids:/x\n0::/system.slice/nodee.service\n", "/sys/fs/cgroup/system.slice/nodee.service"},
		"removed while it lived":   {whole, "0::/a/b (deleted)\n", "/sys/fs/cgroup/a/b"},
		"v1 lines only":            {whole, "9:pids:/x\n", ""},
		"above the namespace":      {whole, "0::/../x\n", ""},
		"the container's own":      {part, "0::/docker/abc\n", "/cg"},
		"below the container's":    {part, "0::/docker/abc/y\n", "/cg/y"},
		"another container":        {part, "0::/docker/abcd\n", ""},
		"version 2 is not mounted": {Hierarchy{Mode: None}, "0::/\n", ""},
	} {
		got, err := c.h.locate(c.in)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, ErrUnseen) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}
