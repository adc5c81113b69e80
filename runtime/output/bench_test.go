package output

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/internal/group"
)

// flooding tells the test binary to write so many bytes to standard output, as fast as it can.
const flooding = "OUTPUT_TEST_FLOOD"

// writeFlood writes lines as services do, a few to a write.
func writeFlood(to io.Writer, size int64) error {
	r := rand.New(rand.NewPCG(1, 2))
	at := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	var b []byte
	for done := int64(0); done < size; done += int64(len(b)) {
		b = b[:0]
		for len(b) < 16<<10 {
			at = at.Add(time.Duration(r.IntN(1e6)))
			b = fmt.Appendf(b, "%s INFO request id=%08x method=GET path=/v1/things/%d status=%d took=%dus\n",
				at.Format(time.RFC3339Nano), r.Uint32(), r.IntN(5000), 200+r.IntN(5), r.IntN(20000))
		}
		if _, err := to.Write(b); err != nil {
			return err
		}
	}
	return nil
}

// benchBytes is how much is written: OUTPUT_BENCH_BYTES, or 128 MiB.
func benchBytes(b *testing.B) int64 {
	b.Helper()
	text := os.Getenv("OUTPUT_BENCH_BYTES")
	if text == "" {
		return 128 << 20
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		b.Fatal(err)
	}
	return n
}

// cpu is how much this process has used, all threads together.
func cpu(b *testing.B) time.Duration {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkOutput tells what the daemon spends on what a service writes: another process,
// whose own time does not count. "kept" keeps and archives every byte.
func BenchmarkOutput(b *testing.B) {
	usual := Bounds{MaxSize: 10 << 20, Keep: 5}
	kept := Bounds{MaxSize: 10 << 20, Keep: 1000}
	for _, tt := range []struct {
		name     string
		bounds   Bounds
		compress bool
	}{
		{"usual/plain", usual, false}, {"usual/packed", usual, true}, {"kept/plain", kept, false}, {"kept/packed", kept, true},
	} {
		b.Run(tt.name, func(b *testing.B) {
			tt.bounds.Compress = tt.compress
			size := benchBytes(b)
			b.SetBytes(size)
			spent := time.Duration(0)
			for b.Loop() {
				spent += measure(b, tt.bounds, size)
			}
			b.ReportMetric(float64(spent.Milliseconds())/float64(b.N)/(float64(size)/1e9), "daemon-cpu-ms/GB")
		})
	}
}

// measure lets a service write, until its log is within its bounds, and returns what this
// process has spent meanwhile.
func measure(b *testing.B, bounds Bounds, size int64) time.Duration {
	dir := b.TempDir()
	k := NewKeeper(dir, slog.New(slog.DiscardHandler))
	k.Attend(dir, bounds)
	g := group.New(b.Context())
	g.Go("keeper", k.Run)
	log, err := os.OpenFile(filepath.Join(dir, "stdout.log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o640)
	if err != nil {
		b.Fatal(err)
	}
	defer log.Close()
	before := cpu(b)
	c := exec.CommandContext(b.Context(), os.Args[0])
	c.Env, c.Stdout, c.Stderr = append(os.Environ(), flooding+"="+strconv.FormatInt(size, 10)), log, os.Stderr
	if err := c.Run(); err != nil {
		b.Fatal(err)
	}
	s, err := k.Open(dir, Stdout)
	if err != nil {
		b.Fatal(err)
	}
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
		v, err := s.ledger.look()
		if err != nil {
			b.Fatal(err)
		}
		if v.end >= size && v.end-v.mark <= bounds.MaxSize && len(v.archives) <= bounds.Keep {
			break
		}
		if time.Now().After(deadline) {
			b.Fatalf("it is not within its bounds: %d archives, %d bytes in the file", len(v.archives), v.end-v.mark)
		}
	}
	spent := cpu(b) - before
	g.End(nil)
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return spent
}

// BenchmarkZstd1 is what "zstd -1" spends on the same bytes.
func BenchmarkZstd1(b *testing.B) {
	zstd, err := exec.LookPath("zstd")
	if err != nil {
		b.Skip("zstd is not installed")
	}
	size := benchBytes(b)
	path := filepath.Join(b.TempDir(), "log")
	f, err := os.Create(path)
	if err != nil {
		b.Fatal(err)
	}
	if err := writeFlood(f, size); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(size)
	spent := time.Duration(0)
	for b.Loop() {
		c := exec.CommandContext(b.Context(), zstd, "-1", "-q", "-f", path, "-o", path+".zst")
		if err := c.Run(); err != nil {
			b.Fatal(err)
		}
		spent += c.ProcessState.UserTime() + c.ProcessState.SystemTime()
	}
	b.ReportMetric(float64(spent.Milliseconds())/float64(b.N)/(float64(size)/1e9), "zstd-cpu-ms/GB")
}
