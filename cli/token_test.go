package cli

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

// A token is looked for where the caller says, else in the environment, else in the prefix.
func TestWhereTheTokenIsFound(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("file", " of-the-file\n")
	write("a/state/token", "of-prefix-a\n")
	write("b/state/token", "of-prefix-b\n")
	names := write("nodee.toml", fmt.Sprintf("prefix = %q", filepath.Join(dir, "b")))
	faulty := write("faulty.toml", "cel = 1")
	a := filepath.Join(dir, "a")

	for _, c := range []struct {
		name  string
		given globalFlags
		env   map[string]string
		want  string // its text
		kind  fault.Kind
	}{
		{"a file comes first", globalFlags{tokenFile: file, prefix: a}, map[string]string{"NODEE_TOKEN": "of-env"}, "of-the-file", 0},
		{"the environment before the prefix", globalFlags{prefix: a}, map[string]string{"NODEE_TOKEN": "of-env"}, "of-env", 0},
		{"the prefix of the flag", globalFlags{prefix: a, config: names}, nil, "of-prefix-a", 0},
		{"the prefix of the environment", globalFlags{config: names}, map[string]string{"NODEE_PREFIX": a}, "of-prefix-a", 0},
		{"the prefix of the file", globalFlags{config: names}, nil, "of-prefix-b", 0},
		{"the prefix of the file in the environment", globalFlags{}, map[string]string{"NODEE_CONFIG": names}, "of-prefix-b", 0},
		{"a default prefix without one", globalFlags{}, map[string]string{"NODEE_CONFIG": os.DevNull, "NODEE_PREFIX": dir}, "", 0},
		{"a file that is not there", globalFlags{tokenFile: file + "x"}, nil, "", fault.Invalid},
		{"a configuration that cannot be used", globalFlags{config: faulty}, nil, "", fault.Invalid},
		{"a prefix that is no path", globalFlags{prefix: "a"}, nil, "", fault.Invalid},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, name := range []string{"NODEE_TOKEN", "NODEE_PREFIX", "NODEE_CONFIG"} {
				t.Setenv(name, c.env[name]) // to restore it
				if c.env[name] == "" {
					os.Unsetenv(name)
				}
			}
			got, err := c.given.findToken()
			if got.text != c.want || (err != nil) != (c.kind != 0) || fault.KindOf(err) != c.kind {
				t.Errorf("the token is %q (%v), want %q", got.text, err, c.want)
			}
		})
	}
}

func TestAdviceAboutTokens(t *testing.T) {
	for want, given := range map[string]token{
		"the token of NODEE_TOKEN is not that of the daemon at http://h:1":                                           {text: "x", from: "NODEE_TOKEN"},
		"the token is in /p/state/token, which cannot be read here: permission denied; run as root, or give --token": {from: "/p/state/token", err: fmt.Errorf("open: %w", fs.ErrPermission)},
		"the token was looked for in /p/state/token, which does not exist; name the daemon's folder with --prefix":   {from: "/p/state/token", err: fmt.Errorf("open: %w", fs.ErrNotExist)},
		"the token was looked for in /p/state/token: it is empty":                                                    {from: "/p/state/token", err: errors.New("it is empty")},
	} {
		if got := given.advice("http://h:1"); !strings.HasPrefix(got, want) {
			t.Errorf("the advice is %q, want %q", got, want)
		}
	}
}
