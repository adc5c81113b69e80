package service

import (
	"math"

	"github.com/cloudname/nodee/internal/document"
)

// readMemory takes what the memory guard goes by.
func readMemory(r *document.Reader, s *Spec) {
	r.Whole("value", &s.Value, 0, math.MaxInt32)
	r.Size("memory_expected", &s.MemoryExpected)
	if r.Size("memory_peak", &s.MemoryPeak) && s.MemoryPeak > 0 && s.MemoryPeak < s.MemoryExpected {
		r.Fault("memory_peak", s.MemoryPeak.String(), "must not be less than memory_expected, which is %s", s.MemoryExpected)
	}
}
