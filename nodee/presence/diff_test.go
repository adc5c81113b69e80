package presence

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/internal/keeper"
)

func nothing(string) bool { return false }
func always(lane) bool    { return true }

// Batch after batch leads to what is wanted, whatever was there; none is larger than it may
// be, and guarded items never go without their check.
func TestBatchesLeadToWhatIsWanted(t *testing.T) {
	check := checkOf(cell, "n1", 3)
	rapid.Check(t, func(t *rapid.T) {
		have, want := map[string]written{}, []item{}
		for i := range rapid.IntRange(0, 300).Draw(t, "paths") {
			path := fmt.Sprintf("/p/%d", i)
			data := bytes.Repeat([]byte{'x'}, rapid.IntRange(0, 3000).Draw(t, "size"))
			if rapid.Bool().Draw(t, "have") {
				have[path] = written{data: data[:len(data)/2], version: 1, earlier: rapid.Bool().Draw(t, "earlier")}
			}
			if rapid.Bool().Draw(t, "want") {
				want = append(want, item{path: path, data: data, ephemeral: true})
			}
		}
		for l, most := range map[lane]int{record: 17_000, report: 240_000} {
			want = append(want, item{path: fmt.Sprint("/one/", l), data: make([]byte, rapid.IntRange(0, most).Draw(t, "large")), lane: l, guarded: true})
		}
		cursor := ""
		for range 700 {
			todo := diff(want, have, nothing)
			if len(todo) == 0 {
				for _, i := range want {
					if h := have[i.path]; h.earlier || !bytes.Equal(h.data, i.data) {
						t.Fatalf("%s is not as wanted", i.path)
					}
				}
				if len(have) != len(want) {
					t.Fatalf("%d are there, %d are wanted", len(have), len(want))
				}
				return
			}
			b := pack(todo, always, cursor, check)
			if err := keeper.CheckOps(b.ops); err != nil || len(b.ops) == 0 {
				t.Fatal(len(b.ops), err)
			}
			guarded := false
			for _, e := range b.edits {
				guarded = guarded || e.guarded
			}
			if guarded != (b.ops[0].Kind == keeper.KindCheck) {
				t.Fatalf("something is guarded: %v; the first operation is %s", guarded, b.ops[0])
			}
			if b.bytes[statuses] > statusBytes {
				t.Fatalf("a batch with %d bytes of statuses", b.bytes[statuses])
			}
			cursor = b.cursor
			b.applied(have, make([]int32, len(b.ops)))
		}
		t.Fatal("it does not come to an end")
	})
}

// What is skipped is left alone, and a lane that is not open waits.
func TestWhatIsNotWritten(t *testing.T) {
	want := []item{{path: "/a", lane: statuses}, {path: "/b", lane: statuses}, {path: "/c", lane: report}}
	have := map[string]written{"/gone": {}, "/unsure": {}}
	skip := func(path string) bool { return path == "/a" || path == "/unsure" }
	b := pack(diff(want, have, skip), func(l lane) bool { return l == statuses }, "", keeper.Op{})
	if got := fmt.Sprint(b.ops); got != "[delete /gone at version 0 create /b]" {
		t.Errorf("written is %s", got)
	}
}

// While everything changes all the time, each status has its turn, and so have the record
// and the report; over any time no more is written than may be.
func TestEverybodyHasATurn(t *testing.T) {
	const length = 44 * time.Second
	for _, c := range []struct {
		changing, services    int
		status, whole, report time.Duration // how old what others see may become
	}{
		{changing: 1, services: 10, status: time.Second, whole: time.Second, report: time.Second},
		{changing: 50, services: 50, status: time.Second, whole: time.Second, report: 2 * time.Second},
		{changing: 50, services: 200, status: time.Second, whole: time.Second, report: 6 * time.Second},
		{changing: 200, services: 200, status: 5 * time.Second, whole: time.Second, report: 6 * time.Second},
		{changing: 1000, services: 1000, status: 20 * time.Second, whole: 2 * time.Second, report: 25 * time.Second},
	} {
		t.Run(fmt.Sprintf("%d of %d", c.changing, c.services), func(t *testing.T) {
			step := time.Duration(1+c.services/200) * 25 * time.Millisecond
			p, have, cursor, total := pace{}, map[string]written{}, "", 0
			age := map[string]time.Time{} // when what is seen was true
			now := time.Unix(1000, 0)
			for begin := now; now.Sub(begin) < length; now = now.Add(step) {
				want := storm(c.changing, c.services, now)
				b := pack(diff(want, have, nothing), func(l lane) bool { return p.may(l, now) }, cursor, keeper.Op{})
				if len(b.ops) > 0 {
					if since := now.Sub(p.last); since < gap {
						t.Fatalf("written again after %v", since)
					}
					p.wrote(b.bytes, now)
					cursor = b.cursor
					b.applied(have, make([]int32, len(b.ops)))
					total += bytesOf(b.ops...)
				}
				for _, e := range b.edits {
					age[e.path] = now
				}
				if now.Sub(begin) < length/2 {
					continue // all of them are new
				}
				for _, i := range want[:c.changing] {
					if old := now.Sub(age[i.path]); old > c.status {
						t.Fatalf("status %s is %v old; want %v at most", i.path, old, c.status)
					}
				}
				if old := now.Sub(age["/record"]); old > c.whole {
					t.Fatalf("the record is %v old; want %v at most", old, c.whole)
				}
				if old := now.Sub(age["/report"]); old > c.report {
					t.Fatalf("the report is %v old; want %v at most", old, c.report)
				}
			}
			if most := int(length.Seconds())*bytesPerSecond + statusBytes + 17_000 + 240*c.services + bytesPerSecond/4; total > most {
				t.Errorf("%d bytes in %v; want %d at most", total, length, most)
			}
		})
	}
}

// storm is what is wanted on a node of which some services change all the time, in about the
// sizes that records have.
func storm(changing, services int, now time.Time) (want []item) {
	stamp := func(n int) []byte { return fmt.Appendf(nil, "%*d", n, now.UnixNano()) }
	for i := range services {
		data := bytes.Repeat([]byte("x"), 290)
		if i < changing {
			data = stamp(290)
		}
		want = append(want, item{path: fmt.Sprintf("/cn/cell/user/service/%d/status", i), data: data, ephemeral: true})
	}
	return append(want,
		item{path: "/record", lane: record, data: stamp(1000 + min(40*services, 16_000)), ephemeral: true, guarded: true},
		item{path: "/report", lane: report, data: stamp(min(220*services, 200_000)), guarded: true})
}

// On a quiet node all that has changed is written at once, together.
func TestAQuietNodeWritesAtOnce(t *testing.T) {
	p, now := pace{}, time.Unix(1000, 0)
	for range 5 {
		now = now.Add(2 * time.Second)
		b := pack(diff(storm(3, 200, now), map[string]written{}, nothing), func(l lane) bool { return p.may(l, now) }, "", keeper.Op{})
		if b.bytes[statuses] == 0 || b.bytes[record] == 0 || b.bytes[report] == 0 {
			t.Fatalf("a batch of %v bytes; want something of everything", b.bytes)
		}
		p.wrote(b.bytes, now)
	}
}
