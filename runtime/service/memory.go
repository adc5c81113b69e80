package service

import "math"

// readMemory takes what the memory guard goes by.
func readMemory(r *reader, s *Spec) {
	r.whole("value", &s.Value, 0, math.MaxInt32)
	r.size("memory_expected", &s.MemoryExpected)
	if r.size("memory_peak", &s.MemoryPeak) && s.MemoryPeak > 0 && s.MemoryPeak < s.MemoryExpected {
		r.fault("memory_peak", s.MemoryPeak.String(), "must not be less than memory_expected, which is %s", s.MemoryExpected)
	}
}
