package tree

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestVerifyFindsEachChange changes a version as its owner could, and wants exactly the
// faults told.
func TestVerifyFindsEachChange(t *testing.T) {
	write := func(name, content string) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			if err := os.Chmod(path, 0o644); err != nil {
				return err
			}
			if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
				return err
			}
			return os.Chmod(path, 0o444)
		}
	}
	replace := func(name string, with func(path string) error) func(string) error {
		return func(dir string) error {
			path := filepath.Join(dir, name)
			if err := os.RemoveAll(path); err != nil {
				return err
			}
			return with(path)
		}
	}
	nothing := func(string) error { return nil }
	for name, c := range map[string]struct {
		change func(dir string) error
		want   string // path: fault, one a line
	}{
		"nothing":         {nothing, ""},
		"content":         {write("lib/deep/data", "dato"), "lib/deep/data: its content is changed"},
		"size":            {write("lib/deep/data", "data+"), "lib/deep/data: its size is 5, was 4"},
		"mode":            {func(d string) error { return os.Chmod(d+"/run", 0o755) }, "run: its mode is 0755, was 0555"},
		"setuid":          {func(d string) error { return os.Chmod(d+"/run", 0o555|os.ModeSetuid) }, "run: its mode is 04555, was 0555"},
		"folder's mode":   {func(d string) error { return os.Chmod(d+"/empty", 0o777) }, "empty: its mode is 0777, was 0555"},
		"closed folder":   {func(d string) error { return os.Chmod(d+"/lib", 0) }, "lib: its mode is 0, was 0555"},
		"missing last":    {replace("run", nothing), "run: is missing"},
		"missing first":   {replace("empty", nothing), "empty: is missing"},
		"missing folder":  {replace("lib", nothing), "lib: is missing"},
		"added file":      {func(d string) error { return os.WriteFile(d+"/lib/new", nil, 0o444) }, "lib/new: is not part of the artifact"},
		"added folder":    {func(d string) error { return os.MkdirAll(d+"/zoo/deep", 0o755) }, "zoo: is not part of the artifact"},
		"link":            {replace("lib/link", func(p string) error { return os.Symlink("../run", p) }), `lib/link: it leads to "../run", led to "deep/data"`},
		"link to file":    {replace("lib/link", func(p string) error { return os.WriteFile(p, []byte("data"), 0o444) }), "lib/link: is a file, was a link"},
		"folder to file":  {replace("lib", func(p string) error { return os.WriteFile(p, nil, 0o444) }), "lib: is a file, was a folder"},
		"file to folder":  {replace("run", func(p string) error { return os.MkdirAll(p+"/x", 0o755) }), "run: is a folder, was a file"},
		"file to fifo":    {replace("run", mkfifo), "run: is a special file, was a file"},
		"renamed":         {func(d string) error { return os.Rename(d+"/run", d+"/walk") }, "run: is missing\nwalk: is not part of the artifact"},
		"sticky":          {func(d string) error { return os.Chmod(d+"/nothing", 0o600|os.ModeSticky) }, "nothing: its mode is 01600, was 0444"},
		"version's place": {func(d string) error { return os.RemoveAll(d) }, ".: the version's folder is missing"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			tree := openTree(t, dir, Options{})
			a := commit(t, tree, web)
			open := []string{a.Path, a.Path + "/lib", a.Path + "/lib/deep", a.Path + "/empty"}
			for _, path := range open {
				if err := os.Chmod(path, 0o755); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chmod(filepath.Dir(a.Path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := c.change(a.Path); err != nil {
				t.Fatal(err)
			}
			for _, path := range open {
				if info, err := os.Lstat(path); err == nil && info.Mode() == os.ModeDir|0o755 {
					if err := os.Chmod(path, 0o555); err != nil {
						t.Fatal(err)
					}
				}
			}
			faults, err := tree.Verify(t.Context(), web)
			if err != nil {
				t.Fatal(err)
			}
			if got := lines(faults); got != c.want {
				t.Errorf("Verify:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

func lines(faults []Fault) string {
	var out []string
	for _, f := range faults {
		out = append(out, f.Path+": "+f.Fault)
	}
	return strings.Join(out, "\n")
}

func TestVerifySeesOwners(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can give files away")
	}
	tree := openTree(t, t.TempDir(), Options{})
	a := commit(t, tree, web)
	if err := os.Lchown(a.Path+"/lib/link", 1, 2); err != nil {
		t.Fatal(err)
	}
	faults, err := tree.Verify(t.Context(), web)
	if got := lines(faults); err != nil || got != "lib/link: its owner is 1:2, was 0:0" {
		t.Errorf("Verify = %s, %v", got, err)
	}
}

func TestVerifyTellsSoMuchAndNoMore(t *testing.T) {
	tree := openTree(t, t.TempDir(), Options{})
	a := commit(t, tree, web)
	if err := os.Chmod(a.Path+"/empty", 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range maxFaults + 7 {
		if err := os.WriteFile(fmt.Sprintf("%s/empty/%04d", a.Path, i), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	faults, err := tree.Verify(t.Context(), web)
	if err != nil || len(faults) != maxFaults+1 || !strings.Contains(faults[maxFaults].Fault, "more than") {
		t.Errorf("%d faults, the last %v, %v", len(faults), faults[len(faults)-1], err)
	}
}

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o444) }
