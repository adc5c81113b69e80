package nodee

import (
	"context"

	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/service"
)

// OpenLog opens what a service has written to stdout or stderr.
func (a *Agent) OpenLog(c service.Coordinate, stream string) (*output.Stream, error) {
	if _, ok := a.desires.Get(c); !ok {
		return nil, noService(c)
	}
	return a.logs.Open(a.logDir(c), stream)
}

// keepLogs keeps logs once it is known what runs: that is not to wait for them.
func (a *Agent) keepLogs(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-a.ready:
		return a.logs.Run(ctx)
	}
}

// bounds is how much of a service's logs is kept.
func bounds(l service.Logs) output.Bounds {
	return output.Bounds{MaxSize: l.MaxSize.Bytes(), Keep: l.Keep, MaxAge: l.MaxAge.Std(), Compress: l.Compress}
}
