package client

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strconv"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// LogQuery says which part of a log is wanted. The zero LogQuery asks for all that is kept
// of standard output.
type LogQuery struct {
	Stream     string          // "stdout", which is also "", or "stderr"
	Tail       *int            // only the last so many lines
	Offset     *int64          // begin at this byte of all that was ever written
	Since      quantity.Moment // only what was written since then; the zero Moment: whenever
	Follow     bool            // go on with what is written from now on
	Contiguous bool            // end where bytes are missing, so that Log's Offset stays right
}

// Log is a part of a log, which must be closed. A follower's ends (io.EOF) when the service
// is removed or the daemon stops, a contiguous one also where bytes are missing. There, and
// where Read fails with an *Unreachable, reading can go on at Offset.
type Log struct {
	client *Client
	res    *http.Response
	offset int64
}

// Logs reads what a service has written, byte for byte.
func (c *Client) Logs(ctx context.Context, name service.Coordinate, q LogQuery) (*Log, error) {
	query := url.Values{}
	if q.Stream != "" {
		query.Set("stream", q.Stream)
	}
	if q.Tail != nil {
		query.Set("tail", strconv.Itoa(*q.Tail))
	}
	if q.Offset != nil {
		query.Set("offset", strconv.FormatInt(*q.Offset, 10))
	}
	if q.Since.Given() {
		query.Set("since", q.Since.String())
	}
	if q.Follow {
		query.Set("follow", "true")
	}
	if q.Contiguous {
		query.Set("contiguous", "true")
	}
	res, err := c.send(ctx, request{method: "GET", path: servicePath(name) + "/logs", query: query, accept: textMedia})
	if err != nil {
		return nil, err
	}
	offset, err := strconv.ParseInt(res.Header.Get("Nodee-Log-Offset"), 10, 64)
	if err != nil {
		res.Body.Close()
		return nil, &Foreign{Addr: c.base, Status: res.StatusCode, Media: textMedia}
	}
	return &Log{c, res, offset}, nil
}

// Offset returns the offset of the next byte to be read; before the first Read, where the
// part begins.
func (l *Log) Offset() int64 { return l.offset }

// Read reads on.
func (l *Log) Read(p []byte) (int, error) {
	n, err := l.res.Body.Read(p)
	l.offset += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		err = l.client.cutOff(l.res.Request.Context(), err)
	}
	return n, err
}

// Close ends reading.
func (l *Log) Close() error { return l.res.Body.Close() }
