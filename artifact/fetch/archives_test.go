package fetch

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"io/fs"
	"testing"

	"github.com/mholt/archiver/v4"
)

// member is one entry of an archive that a test makes. Its kind is a tar type flag, for zips
// too; 0 is a file, or a folder if the name ends in a slash.
type member struct {
	name string
	body string
	link string
	kind byte
	mode int64
}

func tarOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, m := range members {
		h := &tar.Header{Name: m.name, Linkname: m.link, Typeflag: m.kind, Mode: m.mode, Size: int64(len(m.body))}
		if h.Typeflag == 0 {
			h.Typeflag = tar.TypeReg
			if m.name != "" && m.name[len(m.name)-1] == '/' {
				h.Typeflag = tar.TypeDir
			}
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(m.body)); err != nil {
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

func zipOf(t testing.TB, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, m := range members {
		h := &zip.FileHeader{Name: m.name, Method: zip.Deflate}
		mode := zipModes[m.kind] | fs.FileMode(m.mode)&fs.ModePerm
		if m.mode&0o4000 != 0 {
			mode |= fs.ModeSetuid
		}
		h.SetMode(mode)
		body := m.body
		if m.kind == tar.TypeSymlink {
			body = m.link
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

func gz(t testing.TB, data []byte) []byte  { return compressed(t, archiver.Gz{}, data) }
func zst(t testing.TB, data []byte) []byte { return compressed(t, archiver.Zstd{}, data) }
func xz(t testing.TB, data []byte) []byte  { return compressed(t, archiver.Xz{}, data) }

// patch returns a copy of data with old replaced by new, both of one length; nth counts from
// 0, negative: all.
func patch(t testing.TB, data []byte, old, new string, nth int) []byte {
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
