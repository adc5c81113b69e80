package edge

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
)

const (
	headerTimeout = 10 * time.Second // for a caller to send the headers of a request
	idleTimeout   = 2 * time.Minute
	headerBytes   = 64 << 10
	stopGrace     = 3 * time.Second       // for requests under way when the server stops
	lastGrace     = time.Second           // for them to answer after their contexts have ended
	replaceGrace  = 50 * time.Millisecond // in place of stopGrace, while new connections wait for the next program
)

// ErrStopping is the cause with which the contexts of requests end when the server stops.
var ErrStopping = errors.New("the daemon is shutting down")

// ErrReplaced is the cause with which the context of Serve ends when another program is to go
// on with the listener: see File.
var ErrReplaced = errors.New("the daemon is being replaced")

// TLS names the files of a server's certificate and key, and of the authority whose
// clients alone are let in. Empty: plain HTTP, everybody.
type TLS struct{ Cert, Key, ClientCA string }

// Server is a listener and what serves it.
type Server struct {
	listener net.Listener
	tls      *tls.Config
	log      *slog.Logger
	grace    time.Duration
}

// Listen takes an address such as "127.0.0.1:7040"; port 0 is any free one. Serve or Close
// gives it back. What net/http has to say about connections goes to log, for debugging.
func Listen(ctx context.Context, addr string, files TLS, log *slog.Logger) (*Server, error) {
	conf, err := files.config()
	if err != nil {
		return nil, err
	}
	l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: stop what has that address, or set another: %w", addr, err)
	}
	return &Server{listener: l, tls: conf, log: log, grace: stopGrace}, nil
}

// Inherit goes on with a listener of a daemon that was replaced by this one: connections that
// came in between are waiting in it. It closes the file.
func Inherit(listener *os.File, files TLS, log *slog.Logger) (*Server, error) {
	defer listener.Close()
	conf, err := files.config()
	if err != nil {
		return nil, err
	}
	l, err := net.FileListener(listener)
	if err != nil {
		return nil, fmt.Errorf("cannot go on with the listener that was handed over: %w", err)
	}
	return &Server{listener: l, tls: conf, log: log, grace: stopGrace}, nil
}

// config loads what the files hold; nil without a certificate.
func (t TLS) config() (*tls.Config, error) {
	if t.Cert == "" && t.Key == "" {
		if t.ClientCA != "" {
			return nil, fault.New(fault.Invalid, "tls", "cannot use client_ca without tls_cert and tls_key: give all three")
		}
		return nil, nil
	}
	cert, err := tls.LoadX509KeyPair(t.Cert, t.Key)
	if err != nil {
		return nil, fault.New(fault.Invalid, "tls", "cannot use tls_cert %q with tls_key %q: %w", t.Cert, t.Key, err)
	}
	conf := &tls.Config{Certificates: []tls.Certificate{cert}, MinVersion: tls.VersionTLS12}
	if t.ClientCA == "" {
		return conf, nil
	}
	pem, err := os.ReadFile(t.ClientCA)
	if err != nil {
		return nil, fault.New(fault.Invalid, "tls", "cannot read client_ca: %w", err)
	}
	conf.ClientCAs = x509.NewCertPool()
	if !conf.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fault.New(fault.Invalid, "tls", "cannot use client_ca %q: it holds no certificate in PEM", t.ClientCA)
	}
	conf.ClientAuth = tls.RequireAndVerifyClientCert
	return conf, nil
}

// Addr returns the address that was taken.
func (s *Server) Addr() net.Addr { return s.listener.Addr() }

// URL returns the address as a URL, without a slash at its end.
func (s *Server) URL() string {
	addr := s.Addr().String()
	// Who listens everywhere is reached by the loopback; "everywhere" is no address to call.
	if tcp, ok := s.Addr().(*net.TCPAddr); ok && tcp.IP.IsUnspecified() {
		addr = net.JoinHostPort("127.0.0.1", strconv.Itoa(tcp.Port))
	}
	if s.tls != nil {
		return "https://" + addr
	}
	return "http://" + addr
}

// File returns the listener, for another program to Inherit. The address stays taken as long
// as it is open.
func (s *Server) File() (*os.File, error) {
	l, ok := s.listener.(*net.TCPListener)
	if !ok {
		return nil, fmt.Errorf("cannot hand over the listener on %s", s.Addr())
	}
	return l.File()
}

// Close gives the address back, for a server that is never served.
func (s *Server) Close() error { return s.listener.Close() }

// Serve answers requests until ctx ends. Then no new ones are taken, streams end at once,
// other requests have three seconds to end; after that their contexts end, with the cause
// ErrStopping, and a second later their connections. If ctx ends because of ErrReplaced, the
// three seconds are a twentieth of one.
func (s *Server) Serve(ctx context.Context, h http.Handler) error {
	base, interrupt := context.WithCancelCause(context.WithoutCancel(ctx))
	defer interrupt(ErrStopping)
	stopping, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	base = context.WithValue(base, stoppingKey{}, stopping)
	srv := &http.Server{
		Handler:           h,
		TLSConfig:         s.tls,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    headerBytes,
		// No ReadTimeout and no WriteTimeout, they would end streams: bodies and single
		// writes have deadlines of their own.
		BaseContext: func(net.Listener) context.Context { return base },
		ErrorLog:    slog.NewLogLogger(s.log.Handler(), slog.LevelDebug),
	}
	guests := newGuests(srv)
	g := group.New(ctx)
	accepting := make(chan struct{})
	g.Go("http", func(ctx context.Context) error {
		defer close(accepting)
		return s.accept(ctx, srv)
	})
	g.Go("http shutdown", func(ctx context.Context) error {
		<-ctx.Done()
		stop()
		if d, ok := s.listener.(interface{ SetDeadline(time.Time) error }); ok {
			_ = d.SetDeadline(time.Now()) // it fails where nothing is accepted any more
		}
		<-accepting
		grace := s.grace
		if errors.Is(context.Cause(ctx), ErrReplaced) {
			grace = min(grace, replaceGrace)
		}
		return shutdown(context.WithoutCancel(ctx), srv, guests, grace, interrupt)
	})
	return g.Wait()
}

// untilEnd is a listener that accepts until a context ends.
type untilEnd struct {
	net.Listener
	ended <-chan struct{}
}

// Accept waits for a connection.
func (l untilEnd) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	select {
	case <-l.ended:
		if err != nil {
			return nil, http.ErrServerClosed
		}
	default:
	}
	return conn, err
}

func (s *Server) accept(ctx context.Context, srv *http.Server) error {
	l := untilEnd{s.listener, ctx.Done()}
	serve := func() error { return srv.Serve(l) }
	if s.tls != nil {
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	if err := serve(); !errors.Is(err, http.ErrServerClosed) {
		return fmt.Errorf("cannot go on serving %s: %w", s.Addr(), err)
	}
	return nil
}

// shutdown ends a server in steps, each harder than the one before. It is not http's own, which
// drops requests that were let in and not read yet.
func shutdown(ctx context.Context, srv *http.Server, guests *guests, grace time.Duration, interrupt context.CancelCauseFunc) error {
	if !guests.leave(ctx, srv, grace) {
		interrupt(ErrStopping)
		guests.leave(ctx, srv, lastGrace)
	}
	return srv.Close()
}

type stoppingKey struct{}

// untilStopping returns a context that ends with ctx, and when its server begins to stop.
func untilStopping(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stopping, ok := ctx.Value(stoppingKey{}).(context.Context)
	if !ok {
		return ctx, func() { cancel(nil) }
	}
	forget := context.AfterFunc(stopping, func() { cancel(ErrStopping) })
	return ctx, func() { forget(); cancel(nil) }
}
