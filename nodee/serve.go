package nodee

import (
	"context"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/nodee/rest"
)

// Address is the URL of the API; empty until it is served.
func (a *Agent) Address() string {
	if url := a.address.Load(); url != nil {
		return *url
	}
	return ""
}

// AwaitReady waits until everything was looked at once and the API is served.
func (a *Agent) AwaitReady(ctx context.Context) error {
	for _, ch := range []chan struct{}{a.ready, a.listening} {
		select {
		case <-ch:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// serve answers HTTP until ctx ends. It gets all ready for that beside the adoption of what
// runs; who calls meanwhile waits in the listener.
func (a *Agent) serve(ctx context.Context) error {
	s := a.cfg.Settings
	server, err := a.listen(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	a.upgrade.offer(server)
	url := server.URL()
	a.address.Store(&url)
	if err := a.prefix.SayAddress(url); err != nil {
		return err
	}
	api := edge.New(edge.Config{
		Title: "Nodee", Version: a.cfg.Version, Token: func() string { return a.prefix.Token },
		TokenAt: prefix.TokenFile(a.prefix.Dir) + " on the node", RequireToken: s.HTTP.RequireToken, Hosts: edge.Hosts(s.HTTP.Addr, s.Node.Advertise, s.HTTP.AllowedHosts),
		Log: a.log, Metrics: a.registry,
	})
	api.Add(rest.Routes(a)...)
	if s.HTTP.RequireToken == "never" && !edge.Loopback(s.HTTP.Addr) {
		a.log.Warn("whoever reaches this node can run anything on it: it asks for no token and listens beyond the loopback", "address", s.HTTP.Addr)
	}
	select {
	case <-a.adopted:
	case <-ctx.Done():
		return nil
	}
	close(a.listening)
	a.log.Info("the node is up", "address", url, "prefix", a.prefix.Dir, "version", a.cfg.Version)
	return server.Serve(ctx, api)
}

// listen takes the configured address, or goes on with the listener of the daemon that was
// replaced, if that had the same.
func (a *Agent) listen(ctx context.Context) (*edge.Server, error) {
	s := a.cfg.Settings.HTTP
	files := edge.TLS{Cert: s.TLSCert, Key: s.TLSKey, ClientCA: s.ClientCA}
	taken := a.cfg.Taken
	if taken.Listener == nil {
		return edge.Listen(ctx, s.Addr, files, a.log)
	}
	if taken.Addr == s.Addr {
		return edge.Inherit(taken.Listener, files, a.log)
	}
	taken.Listener.Close()
	return edge.Listen(ctx, s.Addr, files, a.log)
}
