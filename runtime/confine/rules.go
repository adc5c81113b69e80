package confine

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
)

// Subject is what a process wants to write, and to become. All paths are absolute.
type Subject struct {
	Dir           string   // its own folder
	Open          bool     // it writes whatever its account may, save what is protected
	Write         []string // what was asked for besides
	NewPrivileges bool     // a setuid program gives it what it gives to others
}

// Rule grants the right to write to a file, or in a folder and all that is below it.
type Rule struct {
	Path   string
	Around []string // protected folders below Path: instead of Path, all is granted that does not lead to them
	Own    bool     // the process's own folder: where that is not there, there will be no process
	Common bool     // for everybody: left out where it is not there, or leads to a protected folder
}

// devices is the one common folder that no program can do without.
const devices = "/dev"

// Rules works out what to grant. protected are the real paths of folders whose contents and
// names nobody may change, and of the ways to them: no rule grants a folder that holds one.
func Rules(s Subject, protected []string) ([]Rule, error) {
	rules := []Rule{{Path: s.Dir, Own: true}}
	for _, path := range s.Write {
		rules = append(rules, Rule{Path: path})
	}
	for _, r := range rules {
		if err := Meets(r.Path, protected); err != nil {
			return nil, err
		}
	}
	if s.Open {
		return append(rules, Rule{Path: "/", Around: protected, Common: true}), nil
	}
	for _, path := range []string{"/tmp", "/var/tmp"} {
		if Meets(path, protected) == nil {
			rules = append(rules, Rule{Path: path, Common: true})
		}
	}
	below := slices.DeleteFunc(slices.Clone(protected), func(p string) bool { return !Within(p, devices) })
	return append(rules, Rule{Path: devices, Around: below, Common: true}), nil
}

// ErrProtected is the answer to who wants to write what nobody may. It stays so.
var ErrProtected = errors.New("nobody but Nodee may change that")

// Meets returns an error that wraps ErrProtected when path lies in a protected folder, or
// holds one.
func Meets(path string, protected []string) error {
	for _, p := range protected {
		if Within(path, p) {
			return fmt.Errorf("%s lies in %s: %w", path, p, ErrProtected)
		}
		if Within(p, path) {
			return fmt.Errorf("%s holds %s: %w; name what lies beside it", path, p, ErrProtected)
		}
	}
	return nil
}

// Within tells whether path is folder, or lies below it.
func Within(path, folder string) bool {
	path, folder = filepath.Clean(path), filepath.Clean(folder)
	return path == folder || folder == "/" || strings.HasPrefix(path, folder+"/")
}

// beside lists what to grant instead of dir: whatever stands beside the ways down to the
// folders in around. list names what is in a folder; what it cannot list is not granted.
func beside(dir string, around []string, list func(dir string) []string) []string {
	if slices.ContainsFunc(around, func(p string) bool { return Within(dir, p) }) {
		return nil
	}
	if !slices.ContainsFunc(around, func(p string) bool { return Within(p, dir) }) {
		return []string{dir}
	}
	var out []string
	for _, name := range list(dir) {
		out = append(out, beside(filepath.Join(dir, name), around, list)...)
	}
	return out
}
