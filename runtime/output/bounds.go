package output

import (
	"math"
	"time"
)

// Bounds is how much is kept of each stream of a service.
type Bounds struct {
	MaxSize  int64         // bytes; what goes beyond is moved to an archive
	Keep     int           // how many archives
	MaxAge   time.Duration // what was written before is removed; 0: whenever
	Compress bool          // pack archives with zstd
}

// courtesy is how much more than its bounds a stream may keep for the sake of who is reading
// it at the moment, in bytes: a follower that is a little behind a flood misses nothing.
const courtesy = 64 << 20

// What a service writes in a flood is not packed while that goes on, if it would be much work
// for what is thrown away soon: more than cheap bytes a look, gone within shortLived looks.
const (
	cheap      = 8 << 20
	shortLived = 10
)

// holding is what there is of a stream, in its offsets.
type holding struct {
	archives []archive // the oldest first
	mark     int64     // the file that the service writes begins here: what is below was given back
	end      int64
	aged     int64 // what is below was written longer ago than the bounds allow
	slowest  int64 // where the slowest reader is; nobody: none
	grown    int64 // since the last look, about a second ago
}

// nobody reads.
const nobody = math.MaxInt64

// act is what is to be done with a stream.
type act int

const (
	rest    act = iota // nothing
	wait               // nothing yet: look again soon
	discard            // remove the oldest archive
	drop               // give back the file's start, up to an offset, without keeping it
	pack               // move the file's start, at most up to an offset, to an archive
)

// step is one thing to do.
type step struct {
	act  act
	to   int64
	most int64 // dropping up to the end of the line must not go beyond: there is a reader
}

// next says what to do first to bring a stream into its bounds. It looks at nothing but its
// arguments; asked again after each step, it comes to rest or wait.
//
// What would be thrown away at once is never packed: not what lies before the newest
// (Keep+1) * MaxSize bytes, and nothing in a flood; the file holds all that is kept then.
func next(h holding, b Bounds) step {
	keep := floor(h, b)
	low := keep
	if h.slowest < keep {
		low = max(h.slowest, keep-courtesy)
	}
	switch {
	case len(h.archives) > 0 && h.archives[0].end <= low:
		return step{act: discard}
	case low > h.mark:
		return step{act: drop, to: low, most: max(low, h.slowest)}
	case h.end-h.mark <= b.MaxSize && low < keep:
		return step{act: wait}
	case h.end-h.mark <= b.MaxSize:
		return step{act: rest}
	case keep > h.mark || flood(h, b):
		return step{act: wait}
	}
	return step{act: pack, to: h.mark + b.MaxSize}
}

// flood tells whether what is packed now would be much work for little.
func flood(h holding, b Bounds) bool {
	archived := int64(b.Keep) * b.MaxSize
	return min(h.grown, archived) > cheap && h.grown > archived/shortLived
}

// floor is the lowest offset that the bounds allow to be kept, once all that is to be packed
// is.
func floor(h holding, b Bounds) int64 {
	pieces := (h.end - h.mark - 1) / b.MaxSize // to be packed until at most MaxSize is left
	if h.end == h.mark {
		pieces = 0
	}
	if pieces > int64(b.Keep) {
		return max(h.aged, h.end-int64(b.Keep+1)*b.MaxSize)
	}
	old := b.Keep - int(pieces) // archives that may stay
	if n := len(h.archives); n > old {
		if old == 0 {
			return max(h.aged, h.mark)
		}
		return max(h.aged, h.archives[n-old].start)
	}
	return h.aged
}
