package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
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
	address, end, err := b.startBare(list.Value)
	if err != nil {
		return err
	}
	defer end()
	for run := range b.runs {
		say("run %d of %d: lists", run+1, b.runs)
		for _, who := range []struct{ name, base string }{{bareHandler, address}, {nodeeName, b.daemon.client.Addr()}} {
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

// startBare runs the bare handler in a process of its own, as Nodee is one: requests within
// one process are answered without waking another.
func (b *bench) startBare(list api.Services) (address string, end func(), err error) {
	text, err := json.Marshal(list)
	if err != nil {
		return "", nil, err
	}
	file := filepath.Join(b.work, "services.json")
	if err := os.WriteFile(file, text, 0o600); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("/proc/self/exe", bareCommand, file)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return "", nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		in.Close()
		_ = cmd.Wait() // nothing is lost with it
	}
	if _, err := fmt.Fscan(out, &address); err != nil {
		end()
		return "", nil, fmt.Errorf("the bare handler did not start: %w", err)
	}
	return address, end, nil
}

// bareCommand has this program be the bare handler of the services in a file, until its
// standard input ends.
const bareCommand = "bare-handler"

func serveBare(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var list api.Services
	if err := json.Unmarshal(text, &list); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Println("http://" + listener.Addr().String())
	server := &http.Server{Handler: bare(list)}
	g := group.New(context.Background())
	g.Aside("bare handler", func(context.Context) error {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	})
	_, _ = io.Copy(io.Discard, os.Stdin)
	return errors.Join(server.Close(), g.Wait())
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
