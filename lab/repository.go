package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/cloudname/nodee/internal/settings"
)

// What the demo repository has.
const (
	DemoArtifact = "com.example:hello:1.0.0"
	demoPath     = "/com/example/hello/1.0.0/hello-1.0.0.tar.gz"
)

//go:embed hello.sh
var hello []byte

// repository is a Maven repository on the loopback: one artifact that is made here, and what
// a person puts into a folder.
type repository struct {
	listener net.Listener
	archive  []byte
	own      *os.Root // the person's folder
}

func openRepository(ctx context.Context, folder string) (_ *repository, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("cannot open the demo repository: %w", err)
		}
	}()
	archive, err := demoArchive()
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return nil, err
	}
	own, err := os.OpenRoot(folder)
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, own.Close())
	}
	return &repository{l, archive, own}, nil
}

func (r *repository) close() error { return errors.Join(r.listener.Close(), r.own.Close()) }

func (r *repository) url() string { return "http://" + r.listener.Addr().String() }

func (r *repository) settings() settings.Repository {
	return settings.Repository{Name: "demo", URL: r.url(), Layout: "maven2", Formats: []string{"tar.gz", "zip", "tar.zst", "tar.xz"}}
}

// serve answers until ctx ends.
func (r *repository) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	answer := func(path string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, req *http.Request) {
			http.ServeContent(w, req, path, time.Time{}, bytes.NewReader(body))
		})
	}
	mux.Handle("GET /", http.FileServerFS(r.own.FS()))
	answer(demoPath, r.archive)
	answer(demoPath+".sha256", fmt.Appendf(nil, "%x\n", sha256.Sum256(r.archive)))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(r.listener); ctx.Err() == nil {
		return err
	}
	return r.own.Close()
}

// demoArchive makes the artifact. It is the same to the byte each time, as a version that
// was installed once never changes.
func demoArchive() ([]byte, error) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	t := tar.NewWriter(z)
	for _, f := range []struct {
		name string
		mode int64
		text []byte
	}{
		{"scripts/startup", 0o755, hello},
		{"README", 0o644, []byte("Says hello until it is told to stop. Options: --greeting TEXT, --every SECONDS.\n")},
	} {
		if err := t.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.text))}); err != nil {
			return nil, err
		}
		if _, err := t.Write(f.text); err != nil {
			return nil, err
		}
	}
	if err := t.Close(); err != nil {
		return nil, err
	}
	if err := z.Close(); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
