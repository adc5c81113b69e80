package fetch

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/cloudname/nodee/artifact/unpack/unpacktest"
)

// BenchmarkInstall installs 500 files of 64 KiB from a server on loopback: as Nodee does it,
// with digest, manifest, sync and all, and as "curl | tar -xz" would, for comparison.
func BenchmarkInstall(b *testing.B) {
	const size = 500 * 64 << 10
	noise := rand.NewChaCha8([32]byte{})
	var members []unpacktest.Entry
	for i := range 500 {
		body := make([]byte, 64<<10)
		noise.Read(body[:len(body)/2]) // the other half packs well
		members = append(members, unpacktest.Entry{Name: fmt.Sprintf("lib/%d/%d.so", i%20, i), Body: string(body)})
	}
	data := unpacktest.Gz(b, unpacktest.Tar(b, members...))

	b.Run("nodee", func(b *testing.B) {
		bench := newBench(b, "central")
		bench.repos[0].files[zipPath] = data
		b.SetBytes(size)
		for b.Loop() {
			if _, _, err := bench.Install(b.Context(), bench.request(b)); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := bench.tree.Remove(b.Context(), web); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
	b.Run("plain", func(b *testing.B) {
		url := serveRepo(b, &repo{files: map[string][]byte{zipPath: data}}) + zipPath
		dir := filepath.Join(b.TempDir(), "into")
		b.SetBytes(size)
		for b.Loop() {
			if err := plainly(url, dir); err != nil {
				b.Fatal(err)
			}
			b.StopTimer()
			if err := os.RemoveAll(dir); err != nil {
				b.Fatal(err)
			}
			b.StartTimer()
		}
	})
}

// plainly unpacks what a URL holds while it comes in, and trusts it.
func plainly(url, dir string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	z, err := gzip.NewReader(resp.Body)
	if err != nil {
		return err
	}
	r := tar.NewReader(z)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		path := filepath.Join(dir, h.Name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		f, err := os.Create(path)
		if err != nil {
			return err
		}
		if _, err := io.Copy(f, r); err != nil {
			return errors.Join(err, f.Close())
		}
		if err := f.Close(); err != nil {
			return err
		}
	}
}
