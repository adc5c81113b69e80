package rest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/service"
)

func logRoutes(node Records) []edge.Entry {
	l := logs{node, history{node}}
	return []edge.Entry{edge.Live(edge.Route{
		Method: http.MethodGet, Path: oneService + "/logs", Access: edge.Read, ID: "read-log", Tags: []string{"services"},
		Summary: "Read what a service has written",
		Description: "From the beginning of what is kept, unless tail or offset say otherwise. The header " + offsetHeader + " tells at which " +
			"offset the answer begins. With Accept: text/event-stream each line is an event, whose id is <stream>:<offset after the line>; " +
			"Last-Event-ID goes on there. A line longer than 64 KiB, or without an end so far, comes in events of the type partial, to which the " +
			"next one belongs; events of the type notice tell what happened to the log. Following ends when the service is removed.",
		Problems: []fault.Kind{fault.NotFound, fault.Forbidden, fault.Unsupported},
	}, l.text, l.lines)}
}

// offsetHeader tells at which offset of a log an answer begins.
const offsetHeader = "Nodee-Log-Offset"

// logs answers with what services write.
type logs struct {
	node    Logs
	history history
}

type logIn struct {
	ServicePath
	edge.Resume
	Stream string          `query:"stream" enum:"stdout,stderr" default:"stdout" doc:"Which of its streams"`
	Tail   optional[int64] `query:"tail" minimum:"0" doc:"Only the last so many lines"`
	Offset optional[int64] `query:"offset" minimum:"0" doc:"Begin at this byte, counted from the first that was ever written"`
	Follow bool            `query:"follow" doc:"true: go on with what is written from now on"`
	Since  string          `query:"since" doc:"Not supported yet"`
}

func (l logs) text(ctx context.Context, in *logIn) (*edge.Stream, error) {
	p, err := l.find(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &edge.Stream{Header: p.header(), Write: func(ctx context.Context, w io.Writer) error {
		return p.send(ctx, (*output.Reader).Bytes, func(piece output.Piece) error {
			if piece.Notice != "" {
				return nil // the text is the service's alone
			}
			_, err := w.Write(piece.Data)
			return err
		})
	}}, nil
}

func (l logs) lines(ctx context.Context, in *logIn) (*edge.Stream, error) {
	p, err := l.find(ctx, in, in.LastEventID)
	if err != nil {
		return nil, err
	}
	s := edge.Events(func(ctx context.Context, send func(edge.Event) error) error {
		return p.send(ctx, (*output.Reader).Lines, func(piece output.Piece) error {
			return send(lineEvent(in.Stream, piece))
		})
	})
	s.Header = p.header()
	return s, nil
}

// lineEvent is a line, or what there is to tell in its place, as an event.
func lineEvent(stream string, piece output.Piece) edge.Event {
	e := edge.Event{ID: stream + ":" + strconv.FormatInt(piece.After, 10)}
	switch {
	case piece.Notice != "":
		e.Type, e.Data = "notice", piece.Notice
	case piece.Partial:
		e.Type, e.Data = "partial", string(piece.Data)
	default:
		e.Data = strings.TrimSuffix(string(piece.Data), "\r")
	}
	return e
}

// part is a part of a log.
type part struct {
	history history
	service service.Coordinate
	stream  *output.Stream
	offset  int64 // asked for
	begin   int64 // where it begins indeed
	follow  bool
	after   uint64 // the newest event when the service was there
}

// find finds what a caller wants to read. resume is the id of the last line that was received.
func (l logs) find(ctx context.Context, in *logIn, resume string) (*part, error) {
	if in.Since != "" {
		return nil, fault.New(fault.Unsupported, "not-supported-yet",
			"cannot read the log of %s since %s: since is not supported yet; use tail or offset", in.Coordinate, in.Since)
	}
	after := l.history.node.LastEvent() // first: a removal from here on is noticed
	stream, err := l.node.OpenLog(in.Coordinate, in.Stream)
	if err != nil {
		return nil, err
	}
	offset, err := in.from(ctx, stream, resume)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log of %s: %w", in.Coordinate, err)
	}
	// The answer's header needs a reader that is open, but nobody may come to read the
	// answer: so this one is closed, and send makes another.
	r, err := stream.From(offset)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log of %s: %w", in.Coordinate, err)
	}
	return &part{l.history, in.Coordinate, stream, offset, r.Begin(), in.Follow, after}, r.Close()
}

// from returns the offset to begin at.
func (in *logIn) from(ctx context.Context, stream *output.Stream, resume string) (int64, error) {
	switch {
	case in.Tail.given && in.Offset.given:
		return 0, fault.Fields("tail and offset contradict each other", []fault.Field{{
			Location: "query.offset", Message: "must not be given beside tail", Value: in.Offset.value,
		}})
	case resume != "":
		name, at, _ := strings.Cut(resume, ":")
		offset, err := strconv.ParseUint(at, 10, 63)
		if err != nil || name != in.Stream {
			return 0, fault.Fields("nothing can be resumed there", []fault.Field{{
				Location: "header.Last-Event-ID", Message: "must be the id of a line of " + in.Stream + ", such as " + in.Stream + ":1024", Value: resume,
			}})
		}
		return int64(offset), nil
	case in.Tail.given:
		return stream.Tail(ctx, int(in.Tail.value))
	}
	return in.Offset.value, nil
}

func (p *part) header() http.Header {
	return http.Header{offsetHeader: {strconv.FormatInt(p.begin, 10)}}
}

// send reads the part, in the way that how says, and gives it to yield. It ends with the
// service, and with what that has written last.
func (p *part) send(ctx context.Context, how reading, yield func(output.Piece) error) error {
	next := p.offset
	read := func(ctx context.Context, follow bool) error {
		r, err := p.stream.From(next)
		if err != nil {
			return err
		}
		defer r.Close()
		return how(r, ctx, follow, func(piece output.Piece) error {
			next = piece.After
			return yield(piece)
		})
	}
	if !p.follow {
		return read(ctx, false)
	}
	removed, err := p.history.whileThere(ctx, p.service, p.after, func(ctx context.Context) error { return read(ctx, true) })
	if removed {
		return read(ctx, false)
	}
	return err
}

// reading is a way to read a log: Bytes or Lines.
type reading func(_ *output.Reader, _ context.Context, follow bool, yield func(output.Piece) error) error
