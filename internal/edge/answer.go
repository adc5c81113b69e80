package edge

import (
	"net/http"
	"time"
)

// writeTimeout is how long a caller may take to read what one write gives it. A server
// whose answers may be streams cannot bound a whole answer, so each write is bounded.
const writeTimeout = 30 * time.Second

// answer is the http.ResponseWriter of one request: it keeps what became of it, and sees to
// it that a caller who stops reading does not hold the request for ever.
type answer struct {
	http.ResponseWriter
	control *http.ResponseController
	observe func(*answer)
	began   time.Time

	method   string
	route    string // the path of the route, "" while none has matched
	status   int    // what the route answers where a handler says 0
	code     int    // what was answered, 0 while nothing was
	live     bool   // a stream: how long it lives says nothing about the daemon
	observed bool
	failed   error // the write that could not be done
}

func newAnswer(w http.ResponseWriter, r *http.Request, observe func(*answer)) *answer {
	return &answer{
		ResponseWriter: w,
		control:        http.NewResponseController(w),
		observe:        observe,
		began:          time.Now(),
		method:         r.Method,
		status:         http.StatusOK,
	}
}

// Unwrap lets http.ResponseController find the writer below.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }

// WriteHeader sends the status; 0 is the route's own.
func (a *answer) WriteHeader(code int) {
	if code == 0 {
		code = a.status
	}
	if a.code != 0 {
		return // huma says it a second time when the caller has left
	}
	a.code = code
	a.arm()
	a.ResponseWriter.WriteHeader(code)
	if a.live {
		a.observeOnce()
	}
}

// Write writes a part of the body.
func (a *answer) Write(p []byte) (int, error) {
	if a.code == 0 {
		a.WriteHeader(0)
	}
	a.arm()
	n, err := a.ResponseWriter.Write(p)
	a.note(err)
	return n, err
}

// FlushError sends what was written. Nothing is under way then, so the deadline is taken
// off: in HTTP/2 it would end a stream that has nothing to say.
func (a *answer) FlushError() error {
	a.arm()
	err := a.control.Flush()
	a.note(err)
	_ = a.control.SetWriteDeadline(time.Time{})
	return err
}

// finish ends the answer. What is buffered is sent after that, under the last deadline.
func (a *answer) finish() {
	if a.code == 0 {
		a.WriteHeader(0)
	}
	a.arm()
	a.observeOnce()
}

func (a *answer) arm() {
	_ = a.control.SetWriteDeadline(time.Now().Add(writeTimeout)) // not every writer can
}

func (a *answer) note(err error) {
	if a.failed == nil {
		a.failed = err
	}
}

func (a *answer) observeOnce() {
	if !a.observed {
		a.observed = true
		a.observe(a)
	}
}
