package confine

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

var folders = []string{"/var/lib/nodee/logs", "/var/lib/nodee/software", "/var/lib/nodee/state"}

func TestRules(t *testing.T) {
	shm := []string{"/dev/shm/n/software"}
	dir := Rule{Path: "/var/lib/nodee/runtime/c/u/s/1", Own: true}
	tmp, varTmp := Rule{Path: "/tmp", Common: true}, Rule{Path: "/var/tmp", Common: true}
	dev := Rule{Path: "/dev", Common: true}
	for what, tt := range map[string]struct {
		subject   Subject
		protected []string
		want      []Rule
	}{
		"a confined one writes its folder, temporary ones and devices": {
			Subject{Dir: dir.Path}, folders, []Rule{dir, tmp, varTmp, dev}},
		"and what was asked for": {
			Subject{Dir: dir.Path, Write: []string{"/srv/x"}}, folders, []Rule{dir, {Path: "/srv/x"}, tmp, varTmp, dev}},
		"an open one writes all that leads to no protected folder": {
			Subject{Dir: dir.Path, Open: true, Write: []string{"/srv/x"}}, folders,
			[]Rule{dir, {Path: "/srv/x"}, {Path: "/", Around: folders, Common: true}}},
		"a folder for temporary files that the prefix lies in is no common one": {
			Subject{Dir: "/tmp/n/runtime/1"}, []string{"/tmp/n/software"}, []Rule{{Path: "/tmp/n/runtime/1", Own: true}, varTmp, dev}},
		"nobody can do without devices, wherever the prefix lies": {
			Subject{Dir: "/dev/shm/n/runtime/1"}, shm,
			[]Rule{{Path: "/dev/shm/n/runtime/1", Own: true}, tmp, varTmp, {Path: "/dev", Around: shm, Common: true}}},
	} {
		got, err := Rules(tt.subject, tt.protected)
		equal := slices.EqualFunc(got, tt.want, func(a, b Rule) bool {
			return a.Path == b.Path && a.Own == b.Own && a.Common == b.Common && slices.Equal(a.Around, b.Around)
		})
		if err != nil || !equal {
			t.Errorf("%s: %+v, %v; want %+v", what, got, err, tt.want)
		}
	}
}

func TestNobodyIsGrantedWhatIsProtected(t *testing.T) {
	for path, says := range map[string]string{
		"/":                            "holds /var/lib/nodee/logs",
		"/var":                         "holds",
		"/var/lib/nodee":               "holds",
		"/var/lib/nodee/":              "holds",
		"/var/lib/nodee/software":      "lies in /var/lib/nodee/software",
		"/var/lib/nodee/software/g/a":  "lies in",
		"/srv/../var/lib/nodee/state/": "lies in",
	} {
		for _, s := range []Subject{{Dir: path}, {Dir: "/srv", Write: []string{path}}, {Dir: "/srv", Open: true, Write: []string{path}}} {
			if _, err := Rules(s, folders); !errors.Is(err, ErrProtected) || !strings.Contains(err.Error(), says) {
				t.Errorf("%+v: %v; want ErrProtected, with %q", s, err, says)
			}
		}
	}
	for _, path := range []string{"/var/lib/nodee/runtime", "/var/lib/nodee/software2", "/var/lib/node", "/srv"} {
		if err := Meets(path, folders); err != nil {
			t.Errorf("Meets(%s) = %v; want nothing", path, err)
		}
	}
}

func TestBeside(t *testing.T) {
	tree := map[string][]string{
		"/":                    {"bin", "etc", "var"},
		"/var":                 {"cache", "lib"},
		"/var/lib":             {"dpkg", "nodee", "nodee2"},
		"/var/lib/nodee":       {"logs", "repository", "runtime", "software", "state"},
		"/var/lib/nodee/state": {"token"},
	}
	list := func(dir string) []string {
		if _, ok := tree[dir]; !ok {
			t.Errorf("%s was looked into", dir)
		}
		return tree[dir]
	}
	want := []string{"/bin", "/etc", "/var/cache", "/var/lib/dpkg", "/var/lib/nodee/repository", "/var/lib/nodee/runtime", "/var/lib/nodee2"}
	if got := beside("/", folders, list); !slices.Equal(got, want) {
		t.Errorf("beside the protected folders stand %q; want %q", got, want)
	}
	if got := beside("/etc", folders, list); !slices.Equal(got, []string{"/etc"}) {
		t.Errorf("beside nothing stands %q; want /etc as a whole", got)
	}
	if got := beside("/var/lib/nodee/state/x", folders, list); got != nil {
		t.Errorf("in a protected folder %q is granted; want nothing", got)
	}
}

func TestVersionsOfLandlock(t *testing.T) {
	for _, tt := range []struct {
		abi     int
		version string
		why     string
	}{{0, "none", "not confined"}, {1, "abi 1", "rename nothing"}, {2, "abi 2", "truncate"}, {3, "abi 3", ""}, {7, "abi 7", ""}} {
		version, why := (&Guard{abi: tt.abi, why: errors.New("x")}).Landlock()
		if version != tt.version || !strings.Contains(why, tt.why) || (why == "") != (tt.why == "") {
			t.Errorf("version %d: %q, %q; want %q, ...%s", tt.abi, version, why, tt.version, tt.why)
		}
	}
}
