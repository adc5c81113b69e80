package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/group"
)

// listTakes is for how long one run asks.
const listTakes = 5 * time.Second

// list asks for all services again and again, and a bare handler that encodes the same
// values; then both with an ETag that still holds.
func (b *bench) list() error {
	whole := &table{title: fmt.Sprintf("List of %d services over REST", b.n), unit: "answers a second", base: bareHandler, command: "make bench ONLY=list"}
	same := &table{title: fmt.Sprintf("List of %d services over REST, unchanged since (304)", b.n), unit: "answers a second", base: bareHandler, command: whole.command}
	b.tables = append(b.tables, whole, same)
	r, err := b.round(b.n)
	if err != nil {
		return err
	}
	p := b.nodee()
	if err := p.start(r); err != nil {
		return err
	}
	if _, err := r.beacon.await(b.n, startPatience); err != nil {
		return err
	}
	time.Sleep(2 * time.Second)
	if err := b.compareLists(whole, same); err != nil {
		return err
	}
	return r.end(p, nil)
}

const bareHandler = "bare net/http handler"

func (b *bench) compareLists(whole, same *table) error {
	list, err := b.daemon.client.Services(context.Background())
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	g := group.New(context.Background())
	server := &http.Server{Handler: bare(list.Value)}
	g.Go("bare handler", func(context.Context) error { return server.Serve(listener) })
	defer server.Close()
	for run := range b.runs {
		say("run %d of %d: lists", run+1, b.runs)
		for _, who := range []struct{ name, base string }{
			{bareHandler, "http://" + listener.Addr().String()}, {nodeeName, b.daemon.client.Addr()}} {
			rate, err := ask(who.base+"/v1/services", "", http.StatusOK)
			if err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
			whole.add(who.name, rate)
			tag, err := etag(who.base + "/v1/services")
			if err != nil {
				return err
			}
			if rate, err = ask(who.base+"/v1/services", tag, http.StatusNotModified); err != nil {
				return fmt.Errorf("%s: %w", who.name, err)
			}
			same.add(who.name, rate)
		}
	}
	return nil
}

// bare encodes the values, and nothing else.
func bare(list api.Services) http.HandlerFunc {
	const tag = `W/"1"`
	return func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", tag)
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(list) // the client is gone
	}
}

func etag(url string) (string, error) {
	res, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	return res.Header.Get("ETag"), nil
}

// ask asks one after the other over one connection, and returns how many answers came a second.
func ask(url, tag string, want int) (float64, error) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	n, began := 0, time.Now()
	for time.Since(began) < listTakes {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return 0, err
		}
		if tag != "" {
			req.Header.Set("If-None-Match", tag)
		}
		res, err := client.Do(req)
		if err != nil {
			return 0, err
		}
		_, err = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != want {
			return 0, fmt.Errorf("answered %s, want %d: %v", res.Status, want, err)
		}
		n++
	}
	return float64(n) / time.Since(began).Seconds(), nil
}
