// Package s3 runs a real S3 server on loopback for a test: versitygw, which is built out of the
// module in server/ when it is first asked for. It starts no goroutine; the server is a process
// that ends with the test.
package s3

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// The keys of a server's one user.
const (
	AccessKey = "nodee-test"
	SecretKey = "nodee-test-secret"
)

// Bucket is there from the start.
const Bucket = "bucket"

// startup is how long a server may take until it answers.
const startup = 30 * time.Second

// Server is one that runs.
type Server struct {
	Endpoint string // a URL
	client   *minio.Client
	process  *exec.Cmd
}

// build builds the server, once for all tests of a binary. It fails the test where that cannot be
// done: the Go module proxy gives its parts.
var build = sync.OnceValues(func() (string, error) {
	_, here, _, _ := runtime.Caller(0)
	dir, err := os.MkdirTemp("", "nodee-s3-")
	if err != nil {
		return "", err
	}
	built = dir
	program := filepath.Join(dir, "server")
	cmd := exec.Command("go", "build", "-o", program, ".")
	cmd.Dir = filepath.Join(filepath.Dir(here), "server")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the S3 server out of %s: %w\n%s", cmd.Dir, err, out)
	}
	return program, nil
})

// built is the folder of what was built; "" nothing was.
var built string

// Clean removes what was built. A TestMain calls it in the end.
func Clean() { os.RemoveAll(built) }

// Start runs a server with an empty bucket until the test ends.
func Start(t *testing.T) *Server {
	t.Helper()
	program, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	objects, attributes := filepath.Join(dir, "objects"), filepath.Join(dir, "attributes")
	if err := errors.Join(os.Mkdir(objects, 0o755), os.Mkdir(attributes, 0o755)); err != nil {
		t.Fatal(err)
	}
	addr := freeAddress(t)
	s := &Server{Endpoint: "http://" + addr}
	if s.client, err = minio.New(addr, &minio.Options{Creds: credentials.NewStaticV4(AccessKey, SecretKey, "")}); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	s.process = exec.Command(program, addr, objects, attributes)
	s.process.Env = append(os.Environ(), "ACCESS="+AccessKey, "SECRET="+SecretKey)
	s.process.Stdout, s.process.Stderr = &said, &said
	s.process.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Stop)
	if err := s.answers(t); err != nil {
		s.Stop()
		t.Fatalf("the S3 server does not answer: %v\n%s", err, said.String())
	}
	return s
}

// answers waits until the server has made the bucket.
func (s *Server) answers(t *testing.T) error {
	for deadline := time.Now().Add(startup); ; time.Sleep(20 * time.Millisecond) {
		err := s.client.MakeBucket(t.Context(), Bucket, minio.MakeBucketOptions{})
		if err == nil || time.Now().After(deadline) {
			return err
		}
	}
}

// Stop ends the server. It may be called again.
func (s *Server) Stop() {
	if s.process.ProcessState == nil {
		_ = s.process.Process.Kill() // it holds nothing that is wanted again
		_ = s.process.Wait()
	}
}

// Put makes an object of the bucket.
func (s *Server) Put(t *testing.T, key, content string) {
	t.Helper()
	_, err := s.client.PutObject(t.Context(), Bucket, key, strings.NewReader(content), int64(len(content)), minio.PutObjectOptions{})
	if err != nil {
		t.Fatal(err)
	}
}

// freeAddress is where nobody listens now.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
