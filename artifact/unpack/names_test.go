package unpack

import (
	"path/filepath"
	"strings"
	"testing"
)

func TestCleanName(t *testing.T) {
	for in, want := range map[string]string{
		"a": "a", "a/b": "a/b", "./a//b/": "a/b", "./": ".", ".": ".", "a/./b": "a/b", "...": "...", "..a/b..": "..a/b..",
		"ä/€ ~$&'\"*?": "ä/€ ~$&'\"*?", "C:/x": "C:/x", strings.Repeat("x", 255): strings.Repeat("x", 255), ".hidden": ".hidden", " ": " ",
	} {
		if got, err := cleanName(in); err != nil || got != want {
			t.Errorf("cleanName(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, why := range map[string]string{
		"": "empty", "/": "absolute", "/etc/passwd": "absolute", "..": "leads out", "../x": "leads out", "a/../../x": "leads out",
		"a/..": "leads out", "a/../b": "leads out", `..\x`: "backslash", `C:\x`: "backslash", "a\x00b": "control", "a\nb": "control",
		"a\x7f": "control", "a\u0085": "control", "a\u202eb": "control", "a\x1b[2J": "control", "a\xffb": "UTF-8",
		strings.Repeat("x", 256): "longer than 255", strings.Repeat("xxxxxxxxxxxxxxx/", 129): "longer than 2048",
		strings.Repeat("x/", 129): "128 folders",
	} {
		if got, err := cleanName(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("cleanName(%q) = %q, %v; want an error with %q", in, got, err, why)
		}
	}
}

func TestCleanTarget(t *testing.T) {
	for _, ok := range [][2]string{{"a", "b"}, {"a/b", "../c"}, {"a/b/c", "../../d"}, {"a", "."}, {"a/b", ".."}, {"a", "b/../c"}} {
		if err := cleanTarget(ok[0], ok[1]); err != nil {
			t.Errorf("%s -> %s: %v", ok[0], ok[1], err)
		}
	}
	for _, bad := range [][3]string{
		{"a", "", "empty"}, {"a", "/etc", "absolute"}, {"a", "..", "leads out"}, {"a/b", "../..", "leads out"}, {"a/b", "../../x", "leads out"},
		{"a", "b/../../c", "leads out"}, {"a", `..\b`, "backslash"}, {"a", "b\x00", "control"}, {"a", "\xff", "UTF-8"},
	} {
		if err := cleanTarget(bad[0], bad[1]); err == nil || !strings.Contains(err.Error(), bad[2]) {
			t.Errorf("%s -> %q: %v; want an error with %q", bad[0], bad[1], err, bad[2])
		}
	}
}

func FuzzCleanName(f *testing.F) {
	for _, s := range []string{"a/b", "../a", "/a", "./a//b/", "a\\b", "a/./../b"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		clean, err := cleanName(s)
		if err != nil {
			return
		}
		if !filepath.IsLocal(clean) {
			t.Fatalf("%q became %q, which is not local", s, clean)
		}
		if again, err := cleanName(clean); err != nil || again != clean {
			t.Fatalf("%q became %q, then %q, %v", s, clean, again, err)
		}
	})
}
