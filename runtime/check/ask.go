package check

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"syscall"
)

// client asks the service itself and nobody else: it takes no proxy out of the daemon's
// environment, follows no redirects and keeps no connection.
var client = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// body is how much of an answer is read, so that the service need not see its connection reset.
const body = 64 << 10

// HTTP asks for a path at a port of the loopback, which must answer 2xx before ctx ends.
func HTTP(ctx context.Context, port int, path string) error {
	url := "http://" + address(port) + path
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "nodee")
	resp, err := client.Do(req)
	if err != nil {
		return short(ctx, err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, body) // the status is all that counts
	switch resp.StatusCode / 100 {
	case 2:
		return nil
	case 3:
		return fmt.Errorf("%s answered %s; redirects are not followed, name a path that answers 2xx", url, resp.Status)
	}
	return fmt.Errorf("%s answered %s", url, resp.Status)
}

// TCP connects to a port of the loopback, which must work before ctx ends.
func TCP(ctx context.Context, port int) error {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", address(port))
	if err != nil {
		return short(ctx, err)
	}
	return conn.Close()
}

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// short takes from an error what a person needs, and sets those apart that are the host's.
func short(ctx context.Context, err error) error {
	for _, own := range []error{syscall.EMFILE, syscall.ENFILE, syscall.ENOMEM, syscall.ENOBUFS, syscall.EADDRNOTAVAIL} {
		if errors.Is(err, own) {
			return fmt.Errorf("%w: %w", ErrNotTried, err)
		}
	}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return errors.New("no answer in time")
	}
	if op := (*net.OpError)(nil); errors.As(err, &op) {
		return op
	}
	return err
}
