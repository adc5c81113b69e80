package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// EventQuery says which events are wanted. The zero EventQuery asks for all that are kept.
type EventQuery struct {
	Service *service.Coordinate // only those of this service
	Since   uint64              // only those with a higher seq
	Limit   int                 // no more than the newest so many; 0: all
}

// Events tells what happened, oldest first.
func (c *Client) Events(ctx context.Context, q EventQuery) (Answer[api.Events], error) {
	query := url.Values{}
	if q.Since > 0 {
		query.Set("since", strconv.FormatUint(q.Since, 10))
	}
	if q.Limit > 0 {
		query.Set("limit", strconv.Itoa(q.Limit))
	}
	return call[api.Events](ctx, c, request{method: "GET", path: eventsPath(q.Service), query: query})
}

// Why tells why a service is as it is, the newest effect first.
func (c *Client) Why(ctx context.Context, name service.Coordinate) (Answer[api.Why], error) {
	return call[api.Why](ctx, c, request{method: "GET", path: "/v1/why/" + name.String()})
}

// Stream gives what a daemon sends, as it comes. It is for one goroutine, and must be closed.
type Stream[T any] struct {
	client *Client
	res    *http.Response
	lines  *bufio.Reader
}

// stream begins to receive what a request is answered with.
func stream[T any](ctx context.Context, c *Client, r request) (*Stream[T], error) {
	r.accept = eventsMedia
	res, err := c.send(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Stream[T]{c, res, bufio.NewReader(res.Body)}, nil
}

// FollowEvents begins to follow what happens on the node, or to one service: after the
// event numbered after, from the first that is kept with 0; from now on where it is nil.
func (c *Client) FollowEvents(ctx context.Context, of *service.Coordinate, after *uint64) (*Stream[service.Event], error) {
	r := request{method: "GET", path: eventsPath(of)}
	switch {
	case after == nil:
	case *after == 0:
		r.query = url.Values{"since": {"0"}}
	default:
		r.resume = strconv.FormatUint(*after, 10)
	}
	return stream[service.Event](ctx, c, r)
}

// Next waits for the next event and returns it, also as it came. The error is io.EOF when
// there are no more: the daemon stops, or the service that they are about was removed. Where
// it is an *Unreachable, following can go on after the last event that was received.
func (s *Stream[T]) Next() (event T, raw []byte, err error) {
	raw, err = nextData(s.lines)
	switch {
	case errors.Is(err, io.EOF):
		return event, nil, io.EOF
	case err != nil:
		return event, nil, s.client.cutOff(s.res.Request.Context(), err)
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		return event, raw, fmt.Errorf("cannot read an event of %s: %w", s.client.base, err)
	}
	return event, raw, nil
}

// Close ends the stream.
func (s *Stream[T]) Close() error { return s.res.Body.Close() }

// nextData returns the data of the next event of a stream. What has no data, such as a
// heartbeat, is passed over, and what has no end is not one.
func nextData(r *bufio.Reader) ([]byte, error) {
	var data []string
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "" && data != nil {
			return []byte(strings.Join(data, "\n")), nil
		}
		if value, ok := strings.CutPrefix(line, "data:"); ok {
			data = append(data, strings.TrimPrefix(value, " "))
		}
	}
}

func eventsPath(of *service.Coordinate) string {
	if of == nil {
		return "/v1/events"
	}
	return servicePath(*of) + "/events"
}
