// Package source gets what files of services are made of: from HTTP servers, and from S3 and
// what speaks like it.
//
// A server that sends nothing for a while has failed, and no more is taken than was agreed.
// What a server answers is told with the source's name, never with a credential or a
// signature. The package starts no goroutine of its own but those of net/http, which end with
// the request or at Close; it keeps nothing that it got.
package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/httpget"
)

// Config says how sources are reached.
type Config struct {
	S3    S3
	Log   *slog.Logger  // told of servers that fail
	Stall time.Duration // a server that sends nothing for so long has failed; 0: 30 s
}

// Sources gets sources. Its methods may be called by several goroutines at once.
type Sources struct {
	http  *httpget.Client
	s3    *buckets
	stall time.Duration
}

// New makes Sources and asks nobody yet. Whoever makes one calls Close.
func New(c Config) (*Sources, error) {
	if c.Stall == 0 {
		c.Stall = 30 * time.Second
	}
	s3, err := newBuckets(c.S3)
	if err != nil {
		return nil, err
	}
	return &Sources{http: httpget.New(c.Stall, c.Log), s3: s3, stall: c.Stall}, nil
}

// Close lets go of connections that nobody uses.
func (s *Sources) Close() {
	s.http.Close()
	s.s3.close()
}

// Get writes what a source holds to a file, from its beginning: at most as many bytes. Kinds
// of errors: NotFound ("source-not-found") where the server does not have it, Invalid
// ("source-too-large") where it has too much of it, Upstream ("source-failed") where the server
// failed or lets nobody in, which may be another time.
func (s *Sources) Get(ctx context.Context, source string, to *os.File, most int64) error {
	take := func(body io.Reader, size int64) error { return save(body, size, to, most) }
	var err error
	if strings.HasPrefix(source, "s3:") {
		err = s.s3.get(ctx, source, s.stall, take)
	} else {
		err = s.http.Get(ctx, source, nil, take)
	}
	trouble, failed := errors.AsType[*httpget.Trouble](err)
	switch {
	case errors.Is(err, httpget.ErrAbsent):
		return fault.New(fault.NotFound, "source-not-found", "there is nothing at %s; put it there, or mend the source", Shown(source))
	case failed:
		return fault.New(fault.Upstream, "source-failed", "its source %w; it is asked again later", trouble)
	}
	return err
}

// Shown is a source as people may see it: without its query, which may hold a signature.
func Shown(source string) string {
	place, _, _ := strings.Cut(source, "?")
	return place
}

// save writes a body to a file from its beginning, also where an earlier try got half way.
func save(body io.Reader, size int64, to *os.File, most int64) error {
	tooLarge := fault.New(fault.Invalid, "source-too-large", "its source has more than %d bytes, the most that is taken (unpack.max_bytes)", most)
	if size > most {
		return tooLarge
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if err := to.Truncate(0); err != nil {
		return err
	}
	n, err := io.Copy(to, io.LimitReader(body, most))
	if err != nil || n < most {
		return err
	}
	if extra, _ := io.ReadFull(body, make([]byte, 1)); extra > 0 {
		return tooLarge
	}
	return nil
}

// failure is a failure of a server's.
func failure(from, format string, args ...any) *httpget.Trouble {
	return &httpget.Trouble{From: from, Text: fmt.Sprintf(format, args...)}
}
