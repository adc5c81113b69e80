package keeper

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-zookeeper/zk"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
)

// Config says where the servers are.
type Config struct {
	Servers []string      // host:port each; a name is resolved at every dial
	Timeout time.Duration // what to ask for as the timeout of sessions; servers bound it by their ticks
	Log     *slog.Logger
}

// ZooKeeper is the real keeper.
type ZooKeeper struct {
	*Status
	cfg    Config
	calm   atomic.Bool // the last thing that was said is that there is a connection
	losses seldom      // how often it was said that it is lost
}

// New makes a keeper of the servers. It reaches for none of them before Open.
func New(cfg Config) (*ZooKeeper, error) {
	switch {
	case len(cfg.Servers) == 0:
		return nil, fault.New(fault.Invalid, "no-servers", "cannot use ZooKeeper: no servers are named")
	case cfg.Timeout < time.Millisecond:
		return nil, fault.New(fault.Invalid, "no-timeout", "cannot use ZooKeeper: a session timeout of %v", cfg.Timeout)
	}
	cfg.Servers = zk.FormatServers(cfg.Servers)
	return &ZooKeeper{Status: NewStatus(cfg.Servers), cfg: cfg}, nil
}

// Sizes of the connection's buffers. Sending needs room for MaxBytes or for the 128 KiB and
// one path in which watches are set anew; receiving for the names of 100,000 nodes.
const (
	sendBuffer    = MaxBytes + 64<<10
	receiveBuffer = 4 << 20
)

// Open waits until a server has granted a session, or until ctx ends.
func (z *ZooKeeper) Open(ctx context.Context) (Session, error) {
	s, err := z.connect(ctx)
	if err != nil {
		return nil, fmt.Errorf("cannot open a ZooKeeper session: %w", err)
	}
	select {
	case <-s.granted:
		return s, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-s.Context().Done():
		err = context.Cause(s.Context())
	}
	s.Leave()
	return nil, fmt.Errorf("cannot open a ZooKeeper session with %s: %w", strings.Join(z.cfg.Servers, ", "), err)
}

// connect starts the library's connection. The session outlives ctx.
func (z *ZooKeeper) connect(ctx context.Context) (*session, error) {
	s := &session{
		status: z.Status, calm: &z.calm, losses: &z.losses, log: z.cfg.Log, tasks: group.New(context.WithoutCancel(ctx)), slots: make(chan struct{}, inFlight),
		granted: make(chan struct{}), watches: hub{entries: map[watched]*entry{}},
	}
	s.link = newLink(s.Context(), z.cfg.Timeout, s.failed)
	conn, events, err := zk.Connect(z.cfg.Servers, z.cfg.Timeout,
		zk.WithHostProvider(&hosts{ctx: s.Context(), timeout: s.link.timeout, round: s.round}),
		zk.WithDialer(s.link.dial),
		zk.WithEventCallback(s.event),
		zk.WithLogger(printer{z.cfg.Log}), zk.WithLogInfo(true),
		zk.WithMaxConnBufferSize(sendBuffer), zk.WithMaxBufferSize(receiveBuffer))
	if err != nil {
		s.tasks.End(err)
		return nil, errors.Join(err, s.tasks.Wait())
	}
	s.conn = conn
	s.tasks.Aside("client", func(context.Context) error {
		for range events { // the library's goroutines end by closing it; s.event has seen what it holds
		}
		return nil
	})
	s.tasks.Aside("end", func(ctx context.Context) error {
		<-ctx.Done()
		s.finish()
		return nil
	})
	return s, nil
}

// access is the ACL of every node that Nodee creates: whoever reaches the servers may read
// and write, as Cloudname's own clients expect. Who may reach them is the network's business.
func access() []zk.ACL { return zk.WorldACL(zk.PermAll) }

// printer gives the library's lines to a log, at the level of details.
type printer struct{ log *slog.Logger }

// Printf is how the library says something.
func (p printer) Printf(format string, args ...any) {
	p.log.Debug("zookeeper client: " + fmt.Sprintf(format, args...))
}
