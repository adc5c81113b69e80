package service

import (
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/quantity"
)

// Logs says how much is kept of what a service writes, for each of its two streams.
type Logs struct {
	MaxSize  quantity.Size     `json:"max_size"` // what goes beyond is moved to an archive
	Keep     int               `json:"keep"`     // how many archives
	MaxAge   quantity.Duration `json:"max_age"`  // what was written before is removed; 0: whenever
	Compress bool              `json:"compress"`
}

// DefaultLogs is what is kept of a service whose spec says nothing about it.
func DefaultLogs() Logs {
	return Logs{MaxSize: 10 << 20, Keep: 5, Compress: true}
}

const (
	leastLog   = 4 << 10 // less than a block cannot be given back to a file system
	mostLog    = 1 << 40
	mostKept   = 1000
	leastOfAge = 1e9 // times are known to a second
)

func readLogs(r *document.Reader, l *Logs) {
	if r.Size("max_size", &l.MaxSize) && (l.MaxSize < leastLog || l.MaxSize > mostLog) {
		r.Fault("max_size", l.MaxSize, "must be from %s to %s", quantity.Size(leastLog), quantity.Size(mostLog))
	}
	r.Whole("keep", &l.Keep, 0, mostKept)
	r.Duration("max_age", &l.MaxAge)
	if l.MaxAge != 0 && l.MaxAge < leastOfAge {
		r.Fault("max_age", l.MaxAge, "must be 0s, for whatever age, or at least %s", quantity.Duration(leastOfAge))
	}
	r.Truth("compress", &l.Compress)
	r.Finish()
}
