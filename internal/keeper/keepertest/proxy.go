package keepertest

import (
	"bytes"
	"context"
	"net"
	"sync"
	"testing"

	"github.com/cloudname/nodee/internal/change"
	"github.com/cloudname/nodee/internal/group"
)

// Proxy stands before a server and can hold what passes, as a network does that loses every
// packet: nothing is lost for good, all of it comes later, the end of a connection too.
type Proxy struct {
	Addr string // where clients reach the server

	target   string
	listener net.Listener
	tasks    *group.Group
	turned   change.Counter

	mu       sync.Mutex
	to, from bool // whether bytes pass to the server, and from it
	passed   int64
	opening  [2]string // what in a client's first words is replaced, by what
	conns    map[net.Conn]struct{}
}

// NewProxy makes a proxy on loopback before the server at target, for as long as t runs.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{
		Addr: listener.Addr().String(), target: target, listener: listener, tasks: group.New(context.Background()),
		to: true, from: true, conns: map[net.Conn]struct{}{},
	}
	p.tasks.Aside("accept", p.accept)
	t.Cleanup(p.close)
	return p
}

// Hole lets nothing pass.
func (p *Proxy) Hole() { p.turn(false, false) }

// Deaf lets what clients say pass, and no answer.
func (p *Proxy) Deaf() { p.turn(true, false) }

// Heal lets everything pass again, and first what was held.
func (p *Proxy) Heal() { p.turn(true, true) }

// Passed returns how many bytes have passed to the server.
func (p *Proxy) Passed() int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.passed
}

// Replace has what clients say first changed: where it says from, it says to.
func (p *Proxy) Replace(from, to string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.opening = [2]string{from, to}
}

// Drop ends all connections.
func (p *Proxy) Drop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for c := range p.conns {
		_ = c.Close() // whoever reads it learns
	}
}

func (p *Proxy) turn(to, from bool) {
	p.mu.Lock()
	p.to, p.from = to, from
	p.mu.Unlock()
	p.turned.Bump()
}

func (p *Proxy) close() {
	p.tasks.End(nil)
	_ = p.listener.Close()
	p.Drop()
	_ = p.tasks.Wait()
}

func (p *Proxy) accept(ctx context.Context) error {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return nil // closed
		}
		p.tasks.Aside("connection", func(ctx context.Context) error {
			p.serve(ctx, client)
			return nil
		})
	}
}

// serve joins a client with the server. One that comes while nothing passes has nobody to
// talk to, and is sent away when that is over.
func (p *Proxy) serve(ctx context.Context, client net.Conn) {
	defer p.forget(client)
	if !p.keep(client) || p.wait(ctx, true) {
		return
	}
	server, err := (&net.Dialer{}).DialContext(ctx, "tcp", p.target)
	if err != nil {
		return
	}
	defer p.forget(server)
	if !p.keep(server) {
		return
	}
	both := group.New(ctx)
	both.Go("to", func(ctx context.Context) error { p.copy(ctx, server, client, true); return nil })
	both.Go("from", func(ctx context.Context) error { p.copy(ctx, client, server, false); return nil })
	<-both.Context().Done() // the first end is the end of both
	p.forget(client)
	p.forget(server)
	_ = both.Wait()
}

// copy passes on what it reads, its end too, when it may pass.
func (p *Proxy) copy(ctx context.Context, dst, src net.Conn, to bool) {
	buf := make([]byte, 64<<10)
	for first := true; ; first = false {
		n, err := src.Read(buf)
		p.wait(ctx, to)
		if _, writeErr := dst.Write(p.count(buf[:n], to, first)); err != nil || writeErr != nil {
			return
		}
	}
}

// count notes what passes, and returns it as it is to pass.
func (p *Proxy) count(b []byte, to, first bool) []byte {
	if !to {
		return b
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if from := p.opening[0]; first && from != "" {
		b = bytes.ReplaceAll(b, []byte(from), []byte(p.opening[1]))
	}
	p.passed += int64(len(b))
	return b
}

// wait waits until bytes pass in the direction, and tells whether it had to.
func (p *Proxy) wait(ctx context.Context, to bool) (held bool) {
	for ctx.Err() == nil {
		turned := p.turned.Changed()
		p.mu.Lock()
		open := to && p.to || !to && p.from
		p.mu.Unlock()
		if open {
			return held
		}
		held = true
		select {
		case <-turned:
		case <-ctx.Done():
		}
	}
	return true
}

// keep remembers the connection, unless the proxy is closed.
func (p *Proxy) keep(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns[c] = struct{}{}
	return p.tasks.Context().Err() == nil
}

func (p *Proxy) forget(c net.Conn) {
	_ = c.Close() // it may be closed already
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.conns, c)
}
