package edge

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

var quiet = slog.New(slog.DiscardHandler)

// start serves h, and returns its server, what stops it, and what Serve will return.
func start(t *testing.T, h http.Handler, files TLS, grace time.Duration) (*Server, context.CancelFunc, <-chan error) {
	t.Helper()
	s, err := Listen(t.Context(), "127.0.0.1:0", files, quiet)
	if err != nil {
		t.Fatal(err)
	}
	s.grace = grace
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, h) }()
	t.Cleanup(cancel)
	return s, cancel, done
}

func ended(t *testing.T, done <-chan error) {
	t.Helper()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("Serve = %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("Serve goes on")
	}
}

func TestStoppingEndsStreamsAndFinishesRequests(t *testing.T) {
	waiting, goOn := make(chan struct{}), make(chan struct{})
	slow := func(ctx context.Context, _ *struct{}) (*textOut, error) {
		close(waiting)
		<-goOn
		return &textOut{}, ctx.Err() // not cancelled yet
	}
	live := func(context.Context, *struct{}) (*Stream, error) {
		return Events(func(ctx context.Context, _ func(Event) error) error { <-ctx.Done(); return ctx.Err() }), nil
	}
	a := newAPI(t, config(), Answer(route("GET", "/slow", Read, "slow"), slow), Answer(route("GET", "/live", Read, "live"), live))
	s, stop, done := start(t, a, TLS{}, stopGrace)

	stream, err := http.Get(s.URL() + "/live")
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Body.Close()
	status := make(chan int, 1)
	go func() {
		res, err := http.Get(s.URL() + "/slow")
		if err != nil {
			status <- 0
			return
		}
		res.Body.Close()
		status <- res.StatusCode
	}()
	<-waiting
	stop()
	if text, err := io.ReadAll(stream.Body); err != nil || len(text) != 0 {
		t.Errorf("the stream ended with %q, %v; want an orderly end", text, err)
	}
	close(goOn)
	if got := <-status; got != 200 {
		t.Errorf("the request under way got %d", got)
	}
	ended(t, done)
	if conn, err := net.Dial("tcp", s.Addr().String()); err == nil {
		conn.Close()
		t.Error("it still listens")
	}
}

func TestARequestThatWaitsIsInterruptedAtLast(t *testing.T) {
	waiting := make(chan struct{})
	wait := func(ctx context.Context, _ *struct{}) (*textOut, error) {
		close(waiting)
		<-ctx.Done()
		return nil, ctx.Err()
	}
	s, stop, done := start(t, newAPI(t, config(), Answer(route("GET", "/wait", Read, "wait"), wait)), TLS{}, 50*time.Millisecond)
	answer := make(chan string, 1)
	go func() {
		res, err := http.Get(s.URL() + "/wait")
		if err != nil {
			answer <- err.Error()
			return
		}
		defer res.Body.Close()
		text, _ := io.ReadAll(res.Body)
		answer <- res.Status + string(text)
	}()
	<-waiting
	stop()
	if got := <-answer; !strings.HasPrefix(got, "503") || !strings.Contains(got, "shutting down") {
		t.Errorf("got %s", got)
	}
	ended(t, done)
}

func TestAnAddressInUseIsSaid(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", TLS{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	addr := s.Addr().String()
	if _, err := Listen(t.Context(), addr, TLS{}, quiet); err == nil || !strings.Contains(err.Error(), "cannot listen on "+addr) {
		t.Errorf("Listen = %v", err)
	}
}

func TestClosingAnUnservedServerFreesItsAddress(t *testing.T) {
	s, err := Listen(t.Context(), "127.0.0.1:0", TLS{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	addr := s.Addr().String()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := Listen(t.Context(), addr, TLS{}, quiet)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}

func TestTLSWithClientCertificates(t *testing.T) {
	cert, key, pair := selfSigned(t)
	s, stop, done := start(t, newAPI(t, config(), table()...), TLS{Cert: cert, Key: key, ClientCA: cert}, stopGrace)
	pool := x509.NewCertPool()
	pool.AddCert(pair.Leaf)
	get := func(certs ...tls.Certificate) (*http.Response, error) {
		tr := &http.Transport{
			TLSClientConfig:   &tls.Config{RootCAs: pool, Certificates: certs},
			ForceAttemptHTTP2: true,
		}
		defer tr.CloseIdleConnections()
		res, err := (&http.Client{Transport: tr}).Get(s.URL() + "/read")
		if err == nil {
			defer res.Body.Close()
			_, err = io.ReadAll(res.Body)
		}
		return res, err
	}
	if res, err := get(pair); err != nil || res.StatusCode != 200 || res.ProtoMajor != 2 {
		t.Errorf("with a certificate: %v, %v", res, err)
	}
	if _, err := get(); err == nil {
		t.Error("let in without a certificate")
	}
	stop()
	ended(t, done)
}

func TestFaultyTLSFilesAreSaid(t *testing.T) {
	cert, key, _ := selfSigned(t)
	junk := filepath.Join(t.TempDir(), "junk")
	if err := os.WriteFile(junk, []byte("junk"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, files := range map[string]TLS{
		"client_ca without tls_cert": {ClientCA: cert},
		"cannot use tls_cert":        {Cert: cert},
		"with tls_key":               {Cert: cert, Key: junk},
		"cannot read client_ca":      {Cert: cert, Key: key, ClientCA: junk + "x"},
		"no certificate in PEM":      {Cert: cert, Key: key, ClientCA: junk},
	} {
		_, err := Listen(t.Context(), "127.0.0.1:0", files, quiet)
		if err == nil || !strings.Contains(err.Error(), want) || fault.KindOf(err) != fault.Invalid {
			t.Errorf("%+v: %v, want %q", files, err, want)
		}
	}
}

// selfSigned makes a certificate for 127.0.0.1 that is its own authority.
func selfSigned(t *testing.T) (certFile, keyFile string, pair tls.Certificate) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: keyDER},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if pair, err = tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile, pair
}

// waitUntil polls until a thing is so.
func waitUntil(t *testing.T, so func() bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if so() {
			return
		}
	}
}

func TestWhoListensEverywhereIsReachedByTheLoopback(t *testing.T) {
	for _, addr := range []string{":0", "0.0.0.0:0", "[::]:0"} {
		s, err := Listen(t.Context(), addr, TLS{}, quiet)
		if err != nil {
			t.Fatal(err)
		}
		if url := s.URL(); !strings.HasPrefix(url, "http://127.0.0.1:") {
			t.Errorf("%s is said to be at %s", addr, url)
		}
		s.Close()
	}
}
