package edge

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cloudname/nodee/internal/group"
	"github.com/danielgtaylor/huma/v2/negotiation"
)

// heartbeat is how often an event stream says that it is still there, so that proxies keep
// it, and a caller who has vanished is noticed.
const heartbeat = 15 * time.Second

// Stream is an answer that is written bit by bit. What can be known to be wrong beforehand
// is the handler's error; when Write fails the answer is broken off.
type Stream struct {
	Type   string // media type; "": text/plain
	Header http.Header
	// Write writes the answer; each write is sent at once. Its context ends when the caller
	// leaves and when the server stops, and Write returns then.
	Write func(ctx context.Context, w io.Writer) error
	// Close lets go of what Write needs, also when there was nobody to write to; nil: nothing.
	Close func()
}

// Event is one event of an event stream.
type Event struct {
	ID   string // what the caller may send back as Last-Event-ID; "" for none
	Type string // "" for the usual: message
	Data any    // a string is sent as it is, anything else as JSON
}

// Resume is embedded in the input of an event stream: where the caller wants to go on.
type Resume struct {
	LastEventID string `header:"Last-Event-ID" doc:"The id of the last event that was received: the stream goes on after it"`
}

// Events makes an event stream of a function that sends events until its context ends or
// there are no more. An error of send is to be returned.
func Events(feed func(ctx context.Context, send func(Event) error) error) *Stream {
	return &Stream{Type: eventsMedia, Write: func(ctx context.Context, w io.Writer) error {
		g := group.New(ctx)
		defer func() { // also when feed panics
			g.End(nil)
			_ = g.Wait() // a heartbeat fails only with the connection, as does the next event
		}()
		out := &eventWriter{w: w}
		g.Aside("heartbeat", out.beat)
		return feed(g.Context(), out.send)
	}}
}

// stream writes a stream as the answer to r.
func (a *API) stream(ans *answer, r *http.Request, s *Stream) {
	if s.Close != nil {
		defer s.Close()
	}
	ctx, cancel := untilStopping(r.Context())
	defer cancel()
	media := s.Type
	if media == "" {
		media = textMedia + "; charset=utf-8"
	}
	h := ans.Header()
	maps.Copy(h, s.Header)
	h.Set("Content-Type", media)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would wait for more
	ans.live = true
	ans.WriteHeader(http.StatusOK)
	if err := ans.FlushError(); err != nil || ans.method == http.MethodHead {
		return
	}
	err := s.Write(ctx, flushing{ans})
	if err == nil || ctx.Err() != nil || ans.failed != nil {
		return
	}
	a.log.Warn("stream broke off", "path", r.URL.Path, "error", err)
	panic(http.ErrAbortHandler) // so that the caller does not take it for the end
}

// flushing sends each write at once.
type flushing struct{ ans *answer }

func (f flushing) Write(p []byte) (int, error) {
	n, err := f.ans.Write(p)
	if err != nil {
		return n, err
	}
	return n, f.ans.FlushError()
}

// eventWriter writes events, and between them heartbeats.
type eventWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (e *eventWriter) send(event Event) error {
	f, err := frame(event)
	if err != nil {
		return err
	}
	return e.write(f)
}

func (e *eventWriter) write(frame []byte) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	_, err := e.w.Write(frame)
	return err
}

// beat writes heartbeats until ctx ends or one cannot be written.
func (e *eventWriter) beat(ctx context.Context) error {
	tick := time.NewTicker(heartbeat)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
			if err := e.write([]byte(":\n\n")); err != nil {
				return err
			}
		}
	}
}

// frame puts an event into the form of the stream. Every line of the data becomes a line
// of its own: a carriage return ends one too, and would let data pass for a field.
func frame(event Event) ([]byte, error) {
	data, ok := event.Data.(string)
	if !ok {
		text, err := json.Marshal(event.Data)
		if err != nil {
			return nil, err
		}
		data = string(text)
	}
	var b bytes.Buffer
	for _, field := range [][2]string{{"id", event.ID}, {"event", event.Type}} {
		if field[1] != "" {
			b.WriteString(field[0] + ": " + field[1] + "\n")
		}
	}
	for line := range strings.SplitSeq(lines.Replace(data), "\n") {
		b.WriteString("data: " + line + "\n")
	}
	b.WriteByte('\n')
	return b.Bytes(), nil
}

var lines = strings.NewReplacer("\r\n", "\n", "\r", "\n")

// wantsEvents tells whether a caller prefers an event stream to what else there is.
func wantsEvents(r *http.Request) bool {
	accept := strings.ToLower(strings.Join(r.Header.Values("Accept"), ","))
	return negotiation.SelectQValue(accept, []string{eventsMedia, jsonMedia, textMedia}) == eventsMedia
}
