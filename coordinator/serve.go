package coordinator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/rest"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/internal/prefix"
)

// serve answers HTTP until ctx ends: at coordinator.addr, by the rules that http has for the agent.
func (c *Coordinator) serve(ctx context.Context) error {
	s := c.cfg.Settings
	files := edge.TLS{Cert: s.HTTP.TLSCert, Key: s.HTTP.TLSKey, ClientCA: s.HTTP.ClientCA}
	server, err := edge.Listen(ctx, s.Coordinator.Addr, files, c.log)
	if err != nil {
		return err
	}
	defer server.Close()
	url := server.URL()
	c.address.Store(&url)
	if err := c.prefix.SayAddress(url); err != nil {
		return err
	}
	face := edge.New(edge.Config{
		Title: "Nodee coordinator", Version: c.cfg.Version, Token: func() string { return c.prefix.Token },
		TokenAt: prefix.TokenFile(c.prefix.Dir) + " on the coordinator's host", RequireToken: s.HTTP.RequireToken, Hosts: edge.Hosts(s.Coordinator.Addr, s.Node.Advertise, s.HTTP.AllowedHosts),
		Stamp: c.stamp, Log: c.log, Metrics: c.registry,
	})
	face.Add(rest.Routes(c)...)
	if s.HTTP.RequireToken == "never" && !edge.Loopback(s.Coordinator.Addr) {
		c.log.Warn("whoever reaches this coordinator can run anything in the cell: it asks for no token and listens beyond the loopback", "address", s.Coordinator.Addr)
	}
	close(c.listening)
	c.log.Info("the coordinator is up", "address", url, "cell", c.cell, "prefix", c.prefix.Dir, "version", c.cfg.Version)
	return server.Serve(ctx, face)
}

// stamp has answers say since when there has been no connection to ZooKeeper: what they tell is
// what was known then.
func (c *Coordinator) stamp(h http.Header) {
	if st := c.keeper.State(); st.Link != keeper.Connected && c.Ready() == nil {
		h.Set(api.AsOfHeader, st.Since.UTC().Format(time.RFC3339))
	}
}

// Ready tells whether everything was read once; nil: it was.
func (c *Coordinator) Ready() error {
	select {
	case <-c.ready:
		return nil
	default:
		return errors.New(notRead(c))
	}
}

func notRead(c *Coordinator) string {
	st := c.keeper.State()
	if st.Why == "" {
		return "the coordinator has not read everything in the cell yet"
	}
	return fmt.Sprintf("the coordinator has not read everything in the cell yet; ZooKeeper is %s: %s", st.Link, st.Why)
}
