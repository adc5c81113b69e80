package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"time"
)

// write writes n bytes of lines as a web server does, and how long that took.
func write(n int) error {
	r := rand.New(rand.NewPCG(1, 2))
	const lines = 4096 // made before, so that making them is not what is measured
	text := make([][]byte, lines)
	for i := range text {
		text[i] = fmt.Appendf(nil, "2026-11-21T12:%02d:%02d.%06dZ INFO request id=%016x path=/v1/items/%d status=%d bytes=%d took=%dus\n",
			r.IntN(60), r.IntN(60), r.IntN(1e6), r.Uint64(), r.IntN(10000), 200+r.IntN(5), r.IntN(100000), r.IntN(50000))
	}
	began := time.Now()
	w := bufio.NewWriterSize(os.Stdout, 8<<10)
	for left := n; left > 0; {
		line := text[r.IntN(lines)]
		if _, err := w.Write(line); err != nil {
			return err
		}
		left -= len(line)
	}
	if err := w.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(os.Stderr, time.Since(began))
	return nil
}
