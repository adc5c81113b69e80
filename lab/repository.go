package lab

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	_ "embed"
	"fmt"
	"net"
	"net/http"
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

// repository is a Maven repository on the loopback with one artifact in it.
type repository struct {
	listener net.Listener
	archive  []byte
}

func openRepository(ctx context.Context) (*repository, error) {
	archive, err := demoArchive()
	if err != nil {
		return nil, fmt.Errorf("cannot make the demo artifact: %w", err)
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("cannot open the demo repository: %w", err)
	}
	return &repository{l, archive}, nil
}

func (r *repository) url() string { return "http://" + r.listener.Addr().String() }

func (r *repository) settings() settings.Repository {
	return settings.Repository{Name: "demo", URL: r.url(), Layout: "maven2", Formats: []string{"tar.gz"}}
}

// serve answers until ctx ends.
func (r *repository) serve(ctx context.Context) error {
	mux := http.NewServeMux()
	answer := func(path string, body []byte) {
		mux.HandleFunc("GET "+path, func(w http.ResponseWriter, req *http.Request) {
			http.ServeContent(w, req, path, time.Time{}, bytes.NewReader(body))
		})
	}
	answer(demoPath, r.archive)
	answer(demoPath+".sha256", fmt.Appendf(nil, "%x\n", sha256.Sum256(r.archive)))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(r.listener); ctx.Err() == nil {
		return err
	}
	return nil
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
