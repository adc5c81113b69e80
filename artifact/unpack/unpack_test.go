package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
	"github.com/cloudname/nodee/internal/fault"
)

var roomy = Limits{}.OrDefault()

// unpacked unpacks an archive into a new folder beside a file that nobody should touch, and
// returns the folder.
func unpacked(t testing.TB, data []byte, limits Limits) (string, error) {
	t.Helper()
	return unpackedBelow(t, t.Context(), t.TempDir(), data, limits)
}

func unpackedBelow(t testing.TB, ctx context.Context, top string, data []byte, limits Limits) (string, error) {
	t.Helper()
	dir := filepath.Join(top, "into")
	file := filepath.Join(top, "archive")
	for _, err := range []error{
		os.Mkdir(dir, 0o700), os.WriteFile(file, data, 0o600), os.WriteFile(filepath.Join(top, "secret"), []byte("secret"), 0o600),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var read atomic.Int64
	err = Into(ctx, root, NewPacked(ctx, f, int64(len(data)), &read), limits)
	outside, e := os.ReadDir(top)
	secret, e2 := os.ReadFile(filepath.Join(top, "secret"))
	if e != nil || e2 != nil || len(outside) != 3 || string(secret) != "secret" {
		t.Fatalf("something was written outside: %v, %q, %v, %v", outside, secret, e, e2)
	}
	return dir, err
}

// contents describes what is in a folder: "name mode" and what it holds.
func contents(t testing.TB, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		rel, _ := filepath.Rel(dir, path)
		if err != nil || rel == "." {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		switch mode := info.Mode(); {
		case mode.IsDir():
			got[rel] = "folder"
		case mode&fs.ModeSymlink != 0:
			target, err := os.Readlink(path)
			got[rel] = "-> " + target
			return err
		default:
			body, err := os.ReadFile(path)
			got[rel] = fmt.Sprintf("%v %s", mode, body)
			return err
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestFormatsAreToldByTheirBytes(t *testing.T) {
	members := []unpacktest.Entry{
		{Name: "scripts/", Mode: 0o750},
		{Name: "scripts/startup", Body: "#!/bin/sh\n", Mode: 0o4755},
		{Name: "conf/app.toml", Body: "x = 1\n", Mode: 0o644},
		{Name: "conf/", Mode: 0o755}, // a folder may come after what is in it
		{Name: "empty", Mode: 0o600},
		{Name: "only-group", Body: "x", Mode: 0o010},
		{Name: "current", Link: "scripts", Kind: tar.TypeSymlink},
		{Name: "scripts/up", Link: "../conf/app.toml", Kind: tar.TypeSymlink},
		{Name: "dangling", Link: "conf/later", Kind: tar.TypeSymlink},
	}
	want := map[string]string{
		"scripts": "folder", "scripts/startup": "-rwx------ #!/bin/sh\n", "conf": "folder", "conf/app.toml": "-rw------- x = 1\n",
		"empty": "-rw------- ", "only-group": "-rwx------ x", "current": "-> scripts", "scripts/up": "-> ../conf/app.toml", "dangling": "-> conf/later",
	}
	tarred := unpacktest.Tar(t, append(members, unpacktest.Entry{Name: "./scripts/again", Link: "./scripts/startup", Kind: tar.TypeLink})...)
	for name, data := range map[string][]byte{
		"zip": unpacktest.Zip(t, members...), "tar": tarred, "tar.gz": unpacktest.Gz(t, tarred), "tar.zst": unpacktest.Zst(t, tarred), "tar.xz": unpacktest.Xz(t, tarred),
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpacked(t, data, roomy)
			if err != nil {
				t.Fatal(err)
			}
			want := maps.Clone(want)
			if name != "zip" { // which knows no hard links
				want["scripts/again"] = want["scripts/startup"]
			}
			if got := contents(t, dir); !maps.Equal(got, want) {
				t.Errorf("unpacked %v\nwant     %v", got, want)
			}
		})
	}
}

func TestWhatOddButHonestArchivesHold(t *testing.T) {
	long := strings.Repeat("n", 200) + "/" + strings.Repeat("ä", 120)
	for name, c := range map[string]struct {
		data []byte
		want string // a name that must be there
	}{
		"the top folder itself":    {unpacktest.Tar(t, unpacktest.Entry{Name: "./"}, unpacktest.Entry{Name: "./a", Body: "x"}), "a"},
		"a long name":              {unpacktest.Tar(t, unpacktest.Entry{Name: long, Body: "x"}), long},
		"a long name in a zip":     {unpacktest.Zip(t, unpacktest.Entry{Name: long, Body: "x"}), long},
		"a global header":          {globalHeader(t), "a"},
		"two gzips after another":  {slices.Concat(unpacktest.Gz(t, unpacktest.Tar(t, unpacktest.Entry{Name: "a", Body: "x"})[:512]), unpacktest.Gz(t, unpacktest.Tar(t, unpacktest.Entry{Name: "a", Body: "x"})[512:])), "a"},
		"zeros after the end":      {append(unpacktest.Tar(t, unpacktest.Entry{Name: "a", Body: "x"}), make([]byte, 9<<10)...), "a"},
		"a comment":                {zipComment(t, unpacktest.Zip(t, unpacktest.Entry{Name: "a", Body: "x"}), "a comment"), "a"},
		"a sparse file":            {sparse(t, "a", 4096), "a"},
		"a folder of a file's mod": {unpacktest.Tar(t, unpacktest.Entry{Name: "d/", Mode: 0}, unpacktest.Entry{Name: "d/a", Body: "x"}), "d/a"},
		"a name that looks odd":    {unpacktest.Tar(t, unpacktest.Entry{Name: "-rf *"}), "-rf *"},
		"a link to a link":         {unpacktest.Tar(t, unpacktest.Entry{Name: "a", Link: "b", Kind: tar.TypeSymlink}, unpacktest.Entry{Name: "b", Link: "c", Kind: tar.TypeSymlink}, unpacktest.Entry{Name: "c"}), "a"},
		"a link up to the top":     {unpacktest.Tar(t, unpacktest.Entry{Name: "d/a", Link: "..", Kind: tar.TypeSymlink}), "d/a"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, err := unpacked(t, c.data, roomy)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := os.Lstat(filepath.Join(dir, c.want)); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLimitsAreMetExactly(t *testing.T) {
	members := []unpacktest.Entry{{Name: "a", Body: "12345"}, {Name: "b", Body: "67890"}}
	for name, data := range map[string][]byte{"tar": unpacktest.Tar(t, members...), "zip": unpacktest.Zip(t, members...)} {
		if _, err := unpacked(t, data, Limits{MaxBytes: 10, MaxFiles: 2, MaxRatio: 1}); err != nil {
			t.Errorf("%s at its limits: %v", name, err)
		}
	}
	body := string(make([]byte, 100_000))
	data := unpacktest.Zip(t, unpacktest.Entry{Name: "a", Body: body})
	ratio := len(body)/len(data) + 1
	if _, err := unpacked(t, data, Limits{MaxBytes: 1 << 20, MaxFiles: 1, MaxRatio: ratio}); err != nil {
		t.Errorf("at its ratio: %v", err)
	}
	if _, err := unpacked(t, data, Limits{MaxBytes: 1 << 20, MaxFiles: 1, MaxRatio: ratio - 1}); err == nil {
		t.Error("unpacked beyond its ratio")
	}
}

func TestAZipsDirectoryIsBounded(t *testing.T) {
	one := unpacktest.Zip(t, unpacktest.Entry{Name: "a", Body: "x"})
	start, end := bytes.Index(one, []byte("PK\x01\x02")), bytes.Index(one, []byte("PK\x05\x06"))
	header := bytes.Clone(one[start:end])
	binary.LittleEndian.PutUint16(header[32:], 60_000) // a comment
	var b bytes.Buffer
	b.Write(one[:start])
	for range maxDirectory/60_000 + 1 {
		b.Write(header)
		b.Write(make([]byte, 60_000))
	}
	size := b.Len() - start
	b.Write(one[end:])
	data := b.Bytes()
	binary.LittleEndian.PutUint32(data[len(data)-10:], uint32(size))
	_, err := unpacked(t, data, roomy)
	if fault.SlugOf(err) != "bad-archive" || !strings.Contains(err.Error(), "directory has more than") {
		t.Errorf("told: %v", err)
	}
}

func TestUnpackEndsWithItsContext(t *testing.T) {
	members := []unpacktest.Entry{{Name: "a", Body: "x"}, {Name: "l", Link: "a", Kind: tar.TypeSymlink}}
	enough := errors.New("enough")
	for name, data := range map[string][]byte{"zip": unpacktest.Zip(t, members...), "tar.gz": unpacktest.Gz(t, unpacktest.Tar(t, members...)), "tar": unpacktest.Tar(t, members...)} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(enough)
		if _, err := unpackedBelow(t, ctx, t.TempDir(), data, roomy); !errors.Is(err, enough) || fault.KindOf(err) == fault.Invalid {
			t.Errorf("%s: %v, want the cause of the cancellation", name, err)
		}
	}
}

// FuzzUnpack wants that no bytes make unpack panic, hang, write outside, or keep a link that
// leads out.
func FuzzUnpack(f *testing.F) {
	members := []unpacktest.Entry{
		{Name: "d/"}, {Name: "d/a", Body: "content", Mode: 0o755}, {Name: "d/l", Link: "../b", Kind: tar.TypeSymlink}, {Name: "b", Body: "b"},
		{Name: "up", Link: "d/..", Kind: tar.TypeSymlink},
	}
	tarred := unpacktest.Tar(f, members...)
	for _, data := range [][]byte{unpacktest.Zip(f, members...), tarred, unpacktest.Gz(f, tarred), unpacktest.Zst(f, tarred), unpacktest.Xz(f, tarred)} {
		f.Add(data)
	}
	limits := Limits{MaxBytes: 1 << 20, MaxFiles: 100, MaxRatio: 200}
	f.Fuzz(func(t *testing.T, data []byte) {
		top, err := filepath.EvalSymlinks(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		dir, err := unpackedBelow(t, t.Context(), top, data, limits)
		if err != nil {
			if fault.SlugOf(err) != "bad-archive" {
				t.Fatalf("not told as a bad archive: %v", err)
			}
			return
		}
		err = filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.Type()&fs.ModeSymlink == 0 {
				return err
			}
			if to, err := filepath.EvalSymlinks(path); err == nil && to != dir && !strings.HasPrefix(to, dir+"/") {
				return fmt.Errorf("%s leads to %s", path, to)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
