// Package unpacktest makes archives for tests, good ones and such as nobody honest would make.
// It starts no goroutine.
package unpacktest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"

	"github.com/mholt/archiver/v4"
)

// Entry is one entry of an archive that a test makes.
type Entry struct {
	Name string
	Body string
	Link string // what a link leads to
	Kind byte   // a type flag of tar, for zips too; 0 is a file, or a folder if the name ends in a slash
	Mode int64
}

// Tar makes a tar.
func Tar(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.Name, Linkname: e.Link, Typeflag: e.Kind, Mode: e.Mode, Size: int64(len(e.Body))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
			if e.Name != "" && e.Name[len(e.Name)-1] == '/' {
				h.Typeflag = tar.TypeDir
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.Body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipModes are the Unix file types that a zip can tell, by tar type flag.
var zipModes = map[byte]fs.FileMode{
	0: 0, tar.TypeReg: 0, tar.TypeDir: fs.ModeDir, tar.TypeSymlink: fs.ModeSymlink, tar.TypeFifo: fs.ModeNamedPipe,
	tar.TypeChar: fs.ModeDevice | fs.ModeCharDevice, tar.TypeBlock: fs.ModeDevice,
}

// Zip makes a zip.
func Zip(t testing.TB, entries ...Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.Name, Method: zip.Deflate}
		mode := zipModes[e.Kind] | fs.FileMode(e.Mode)&fs.ModePerm
		if e.Mode&0o4000 != 0 {
			mode |= fs.ModeSetuid
		}
		h.SetMode(mode)
		body := e.Body
		if e.Kind == tar.TypeSymlink {
			body = e.Link
		}
		f, err := w.CreateHeader(h)
		if err == nil && body != "" {
			_, err = f.Write([]byte(body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func compressed(t testing.TB, c archiver.Compression, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.OpenWriter(&b)
	if err == nil {
		_, err = w.Write(data)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// Gz compresses with gzip.
func Gz(t testing.TB, data []byte) []byte { return compressed(t, archiver.Gz{}, data) }

// Zst compresses with zstd.
func Zst(t testing.TB, data []byte) []byte { return compressed(t, archiver.Zstd{}, data) }

// Xz compresses with xz.
func Xz(t testing.TB, data []byte) []byte { return compressed(t, archiver.Xz{}, data) }

// Patch returns a copy of data with old replaced by new, both of one length; nth counts from
// 0, negative: all.
func Patch(t testing.TB, data []byte, old, new string, nth int) []byte {
	t.Helper()
	out, at := bytes.Clone(data), 0
	for n := 0; ; n++ {
		i := bytes.Index(out[at:], []byte(old))
		if i < 0 {
			if nth < 0 && n > 0 {
				return out
			}
			t.Fatalf("%q is not there %d times", old, nth+1)
		}
		if n == nth || nth < 0 {
			copy(out[at+i:], new)
		}
		if n == nth {
			return out
		}
		at += i + len(old)
	}
}
