package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"time"
)

// sign is one datagram of a service: it runs.
type sign struct {
	pid int
	at  time.Time
}

// beacon receives the signs of all services of one peer.
type beacon struct {
	path  string
	conn  *net.UnixConn
	signs chan sign
}

func newBeacon(path string) (*beacon, error) {
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return nil, err
	}
	_ = conn.SetReadBuffer(1 << 20)
	b := &beacon{path, conn, make(chan sign, 1<<16)}
	go b.receive()
	return b, nil
}

func (b *beacon) receive() {
	defer close(b.signs)
	var buf [16]byte
	for {
		n, err := b.conn.Read(buf[:])
		if err != nil {
			return
		}
		if n == 4 {
			b.signs <- sign{int(binary.NativeEndian.Uint32(buf[:])), time.Now()}
		}
	}
}

// await waits for n signs.
func (b *beacon) await(n int, patience time.Duration) ([]sign, error) {
	var got []sign
	timeout := time.After(patience)
	for len(got) < n {
		select {
		case s := <-b.signs:
			got = append(got, s)
		case <-timeout:
			return got, fmt.Errorf("%d of %d services ran within %s", len(got), n, patience)
		}
	}
	return got, nil
}

// quiet takes what still comes until nothing has come for d, and returns how many that were.
func (b *beacon) quiet(d time.Duration) int {
	for n := 0; ; n++ {
		select {
		case <-b.signs:
		case <-time.After(d):
			return n
		}
	}
}

func (b *beacon) close() { b.conn.Close() }
