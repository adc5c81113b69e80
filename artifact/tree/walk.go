package tree

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"slices"
	"strings"
	"syscall"
)

// visitor is told of one thing below a folder: by the open folder that holds it, its name
// there, and its path with slashes. It returns fs.SkipDir for a folder not to be entered.
type visitor func(ctx context.Context, dir *os.Root, name, path string, info fs.FileInfo) error

// walk visits everything below dir, a folder before what is in it, names in byte order; this
// is the order of compare. Links are visited, never followed. One folder of each depth is
// open at a time, so that no path is resolved from the top again and again.
func walk(ctx context.Context, dir *os.Root, prefix string, visit visitor) error {
	names, err := namesIn(dir)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		info, err := dir.Lstat(name)
		if err != nil {
			return err
		}
		path := prefix + name
		err = visit(ctx, dir, name, path, info)
		if err == nil && info.IsDir() {
			err = walkInto(ctx, dir, name, path, visit)
		}
		if err != nil && !errors.Is(err, fs.SkipDir) {
			return err
		}
	}
	return nil
}

func walkInto(ctx context.Context, dir *os.Root, name, path string, visit visitor) error {
	sub, err := dir.OpenRoot(name)
	if err != nil {
		return err
	}
	defer sub.Close()
	return walk(ctx, sub, path+"/", visit)
}

// namesIn returns the names in a folder, in byte order.
func namesIn(dir *os.Root) ([]string, error) {
	f, err := dir.Open(".")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	names, err := f.Readdirnames(-1)
	slices.Sort(names)
	return names, err
}

// compare orders paths as walk visits them: by their parts, not by their bytes, in which
// "a-b" would stand between "a" and "a/b".
func compare(a, b string) int {
	for i := range min(len(a), len(b)) {
		switch {
		case a[i] == b[i]:
		case a[i] == '/':
			return -1
		case b[i] == '/':
			return 1
		default:
			return int(a[i]) - int(b[i])
		}
	}
	return len(a) - len(b)
}

// within tells whether path lies below dir.
func within(path, dir string) bool { return dir != "" && strings.HasPrefix(path, dir+"/") }

// removeAll removes name and all below it. Folders of a version are closed for writing, which
// stops everybody but root from emptying them, so each is opened on the way down.
func removeAll(ctx context.Context, dir *os.Root, name string) error {
	info, err := dir.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.IsDir() {
		if err := dir.Chmod(name, 0o700); err != nil {
			return err
		}
		err := walkInto(ctx, dir, name, name, func(_ context.Context, dir *os.Root, name, _ string, info fs.FileInfo) error {
			if info.IsDir() {
				return dir.Chmod(name, 0o700)
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return dir.RemoveAll(name)
}

// size adds up the regular files below dir.
func size(ctx context.Context, dir *os.Root) (files int, bytes int64, err error) {
	err = walk(ctx, dir, "", func(_ context.Context, _ *os.Root, _, _ string, info fs.FileInfo) error {
		if info.Mode().IsRegular() {
			files++
			bytes += info.Size()
		}
		return nil
	})
	return files, bytes, err
}

// stat returns what Linux knows of a file beside what Go tells of it.
func stat(info fs.FileInfo) *syscall.Stat_t { return info.Sys().(*syscall.Stat_t) }
