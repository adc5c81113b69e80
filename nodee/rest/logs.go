package rest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/output"
	"github.com/cloudname/nodee/runtime/service"
)

func logRoutes(node Records) []edge.Entry {
	l := logs{node, history{node}}
	return []edge.Entry{edge.Live(edge.Route{
		Method: http.MethodGet, Path: oneService + "/logs", Access: edge.Read, ID: "read-log", Tags: []string{"services"},
		Summary: "Read what a service has written",
		Description: "From the beginning of what is kept, unless tail, since or offset say otherwise; with tail and since, what both want. What was " +
			"rotated away is read as long as it is kept. The header " + offsetHeader + " tells at which offset the answer begins. With Accept: " +
			"text/event-stream each line is an event, whose id is <stream>:<offset after the line>; Last-Event-ID goes on there. A line longer than " +
			"64 KiB, or without an end so far, comes in events of the type partial, to which the next one belongs; events of the type notice tell " +
			"what happened to the log. Following ends when the service is removed.",
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
	Stream string               `query:"stream" enum:"stdout,stderr" default:"stdout" doc:"Which of its streams"`
	Tail   edge.Optional[int64] `query:"tail" minimum:"0" doc:"Only the last so many lines"`
	Offset edge.Optional[int64] `query:"offset" minimum:"0" doc:"Begin at this byte, counted from the first that was ever written; at the oldest that is kept, where this one is not"`
	Follow bool                 `query:"follow" doc:"true: go on with what is written from now on"`
	Since  quantity.Moment      `query:"since" doc:"Only what was written in this last time, or since this time (RFC 3339); times are known to about a second" example:"10m"`
	Whole  bool                 `query:"contiguous" doc:"true: a text ends where bytes are missing behind it, because they are not kept or the log was truncated: so whoever counts its bytes knows where to go on"`
}

func (l logs) text(ctx context.Context, in *logIn) (*edge.Stream, error) {
	p, err := l.find(ctx, in, "")
	if err != nil {
		return nil, err
	}
	return &edge.Stream{Header: p.header(), Close: p.close, Write: func(ctx context.Context, w io.Writer) error {
		next := p.reader.Begin()
		err := p.send(ctx, (*output.Reader).Bytes, func(piece output.Piece) error {
			switch {
			case piece.Notice == "":
				next += int64(len(piece.Data))
				_, err := w.Write(piece.Data)
				return err
			case in.Whole && piece.After != next:
				return errGap
			}
			return nil // the text is the service's alone
		})
		if errors.Is(err, errGap) {
			return nil
		}
		return err
	}}, nil
}

// errGap ends a text that is to be without gaps.
var errGap = errors.New("bytes of the log are missing")

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
	s.Header, s.Close = p.header(), p.close
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

// part is a part of a log, whose reader is open: what it is about to read is kept for it.
type part struct {
	history history
	service service.Coordinate
	stream  *output.Stream
	reader  *output.Reader
	follow  bool
	after   uint64 // the newest event when the service was there
}

// find finds what a caller wants to read. resume is the id of the last line that was received.
func (l logs) find(ctx context.Context, in *logIn, resume string) (*part, error) {
	after := l.history.node.LastEvent() // first: a removal from here on is noticed
	stream, err := l.node.OpenLog(in.Coordinate, in.Stream)
	if err != nil {
		return nil, err
	}
	offset, err := in.from(ctx, stream, resume)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log of %s: %w", in.Coordinate, err)
	}
	r, err := stream.From(offset)
	if err != nil {
		return nil, fmt.Errorf("cannot read the log of %s: %w", in.Coordinate, err)
	}
	return &part{l.history, in.Coordinate, stream, r, in.Follow, after}, nil
}

// from returns the offset to begin at.
func (in *logIn) from(ctx context.Context, stream *output.Stream, resume string) (offset int64, err error) {
	if faults := in.contradictions(); len(faults) > 0 {
		return 0, fault.Fields("the parameters contradict each other", faults)
	}
	if resume != "" {
		return in.resumed(resume)
	}
	if in.Since.Given() {
		if offset, err = stream.Since(ctx, in.Since.Time(time.Now())); err != nil {
			return 0, err
		}
	}
	if in.Tail.Given {
		at, err := stream.Tail(ctx, int(min(in.Tail.Value, math.MaxInt32)))
		return max(offset, at), err
	}
	return max(offset, in.Offset.Value), nil
}

// contradictions finds what cannot be meant together.
func (in *logIn) contradictions() (faults []fault.Field) {
	if !in.Offset.Given {
		return nil
	}
	for what, given := range map[string]bool{"tail": in.Tail.Given, "since": in.Since.Given()} {
		if given {
			faults = append(faults, fault.Field{Location: "query.offset", Message: "must not be given beside " + what, Value: in.Offset.Value})
		}
	}
	return faults
}

// resumed reads the id of the last line that was received.
func (in *logIn) resumed(id string) (int64, error) {
	name, at, _ := strings.Cut(id, ":")
	offset, err := strconv.ParseUint(at, 10, 63)
	if err != nil || name != in.Stream {
		return 0, fault.Fields("nothing can be resumed there", []fault.Field{{
			Location: "header.Last-Event-ID", Message: "must be the id of a line of " + in.Stream + ", such as " + in.Stream + ":1024", Value: id,
		}})
	}
	return int64(offset), nil
}

func (p *part) header() http.Header {
	return http.Header{offsetHeader: {strconv.FormatInt(p.reader.Begin(), 10)}}
}

func (p *part) close() { _ = p.reader.Close() } // it was only read

// send reads the part, in the way that how says, and gives it to yield. It ends with the
// service, and with what that has written last.
func (p *part) send(ctx context.Context, how reading, yield func(output.Piece) error) error {
	next := p.reader.Begin()
	note := func(piece output.Piece) error {
		next = piece.After
		return yield(piece)
	}
	if !p.follow {
		return how(p.reader, ctx, false, note)
	}
	removed, err := p.history.whileThere(ctx, p.service, p.after, func(ctx context.Context) error {
		return how(p.reader, ctx, true, note)
	})
	if !removed {
		return err
	}
	last, err := p.stream.From(next)
	if err != nil {
		return err
	}
	defer last.Close()
	return how(last, ctx, false, note)
}

// reading is a way to read a log: Bytes or Lines.
type reading func(_ *output.Reader, _ context.Context, follow bool, yield func(output.Piece) error) error
