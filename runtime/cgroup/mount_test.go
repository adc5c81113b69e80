package cgroup

import (
	"errors"
	"reflect"
	"testing"
)

const (
	mountV1     = "32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime shared:9 - cgroup cgroup rw,cpu\n"
	mountBoth   = "33 31 0:30 /docker/abc /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"
	mountNamed  = "34 31 0:31 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,name=systemd\n"
	mountV2     = "31 23 0:28 / /sys/fs/cgroup rw,nosuid shared:4 master:1 - cgroup2 cgroup2 rw,nsdelegate\n"
	mountBeside = "41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n"
	mountBlank  = "41 31 0:38 /docker/abc /mnt/my\\040groups rw - cgroup2 none rw\n"
	mountOther  = "22 23 0:21 / /proc rw,nosuid - proc proc rw\nnonsense\n"
)

func TestParseMounts(t *testing.T) {
	v2 := Tree{"/sys/fs/cgroup", "", "/"}
	cpu := map[string]Tree{CPU: {"/sys/fs/cgroup/cpu", CPU, "/"}}
	for name, c := range map[string]struct {
		in   string
		want Hierarchy
	}{
		"nothing":               {"", Hierarchy{Mode: None}},
		"other file systems":    {mountOther, Hierarchy{Mode: None}},
		"v1 alone":              {mountOther + mountV1, Hierarchy{Mode: V1, V1: cpu}},
		"no controller":         {mountNamed, Hierarchy{Mode: V1}},
		"two controllers, part": {mountBoth, Hierarchy{Mode: V1, V1: map[string]Tree{CPU: {"/sys/fs/cgroup/cpu,cpuacct", CPU, "/docker/abc"}}}},
		"v2 alone":              {mountV2, Hierarchy{Mode: V2, V2: v2}},
		"v2 beside v1":          {mountV1 + mountBeside + mountV1, Hierarchy{Hybrid, Tree{"/sys/fs/cgroup/unified", "", "/"}, cpu}},
		"in a container":        {mountBlank, Hierarchy{Mode: V2, V2: Tree{"/mnt/my groups", "", "/docker/abc"}}},
		"the first v2 wins":     {mountV2 + mountBeside, Hierarchy{Mode: V2, V2: v2}},
		"the first v1 wins":     {mountV1 + mountBoth, Hierarchy{Mode: V1, V1: cpu}},
	} {
		if c.want.V1 == nil {
			c.want.V1 = map[string]Tree{}
		}
		if got := parseMounts(c.in); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

func TestTreeOf(t *testing.T) {
	h := Hierarchy{V2: Tree{Dir: "/cg/unified"}, V1: map[string]Tree{PIDs: {Dir: "/cg/pids", Controller: PIDs}, Freezer: {Dir: "/cg/freezer", Controller: Freezer}}}
	for dir, want := range map[string]string{"/cg/unified/a": "", "/cg/pids/a/b": PIDs, "/cg/freezer/a": Freezer, "/cg/pidsx/a": ""} {
		if got := h.TreeOf(dir); got.Controller != want {
			t.Errorf("%s is in the tree of %q; want %q", dir, got.Controller, want)
		}
	}
}

func TestLocate(t *testing.T) {
	whole := Tree{"/sys/fs/cgroup", "", "/"}
	part := Tree{"/cg", "", "/docker/abc"}
	cpu := Tree{"/cpu", CPU, "/"}
	for name, c := range map[string]struct {
		t        Tree
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
		"version 2 is not mounted": {Tree{}, "0::/\n", ""},
		"a controller":             {cpu, "0::/a\n3:cpuset:/b\n2:cpu,cpuacct:/c:d\n", "/cpu/c:d"},
		"another controller":       {cpu, "0::/a\n3:cpuset:/b\n1:name=cpu:/c\n", ""},
		"nonsense":                 {cpu, "cpu\n2:cpu\n", ""},
	} {
		got, err := c.t.locate(c.in)
		if got != c.want || (err != nil) != (c.want == "") || err != nil && !errors.Is(err, ErrUnseen) {
			t.Errorf("%s: got %q, %v; want %q", name, got, err, c.want)
		}
	}
}
