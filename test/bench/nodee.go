package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/prefix"
	"github.com/cloudname/nodee/nodee/store"
	"github.com/cloudname/nodee/runtime/rundir"
	"github.com/cloudname/nodee/runtime/service"
)

// daemon is a Nodee under measurement.
type daemon struct {
	r      *round
	prefix string
	client *client.Client
	status api.Status
}

const nodeeName = "Nodee"

// nodee is ourselves, as a host boots: everything is desired already, nothing runs. That is
// what the others are measured at, which read what to run from their files.
func (b *bench) nodee() *peer {
	return &peer{name: nodeeName,
		start: func(r *round) error {
			b.daemon = &daemon{r: r, prefix: filepath.Join(r.dir, "prefix")}
			if err := b.daemon.desire(); err != nil {
				return err
			}
			return b.daemon.up()
		},
		stop: func(r *round) error { return b.daemon.clear() },
	}
}

// nodeePut is ourselves with each service put over REST, as a person would.
func (b *bench) nodeePut() *peer {
	return &peer{name: nodeeName + ", each put over REST",
		start: func(r *round) error {
			b.daemon = &daemon{r: r, prefix: filepath.Join(r.dir, "prefix")}
			if err := b.daemon.up(); err != nil {
				return err
			}
			return b.daemon.put()
		},
		stop: func(r *round) error { return b.daemon.clear() },
	}
}

func coordinate(i int) service.Coordinate {
	return service.Coordinate{Instance: int32(i), Service: "sleep", User: "bench", Cell: "test"}
}

// spec is a service that only sleeps, under Nodee's defaults but for the pause before a
// restart: confined, in a group of its own, with its own log files.
func (d *daemon) spec() service.Spec {
	s, err := service.Decode(fmt.Appendf(nil, `{"command":%q,"args":[%q],"restart":{"base":"0s","cap":"0s"}}`,
		d.r.bench.built("service"), d.r.beacon.path), service.JSON, "")
	if err != nil {
		panic(err)
	}
	return s
}

// up starts the daemon and waits until it answers.
func (d *daemon) up() error {
	os.Remove(filepath.Join(d.prefix, "state", "http"))
	err := d.r.run(nil, d.r.bench.binary, "agent", "--config", os.DevNull, "--prefix", d.prefix, "--http-addr", "127.0.0.1:0", "--node-name", "bench", "--log-level", "warn")
	if err != nil {
		return err
	}
	deadline := time.Now().Add(time.Minute)
	for {
		err := d.connect()
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			log, _ := os.ReadFile(filepath.Join(d.r.dir, "supervisor.log"))
			return fmt.Errorf("the daemon does not answer: %w: %s", err, log)
		}
		time.Sleep(time.Millisecond)
	}
}

func (d *daemon) connect() error {
	addr, err := os.ReadFile(filepath.Join(d.prefix, "state", "http"))
	if err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(d.prefix, "state", "token"))
	if err != nil {
		return err
	}
	if d.client, err = client.New(client.Config{Addr: strings.TrimSpace(string(addr)), Token: strings.TrimSpace(string(token))}); err != nil {
		return err
	}
	s, err := d.client.Status(context.Background())
	d.status = s.Value
	return err
}

// desire writes down that every service should run, as a daemon does for a PUT, and makes the
// folders that they have when they have run before.
func (d *daemon) desire() error {
	in, err := prefix.Open(d.prefix, prefix.Holder{Daemon: prefix.Agent})
	if err != nil {
		return err
	}
	defer in.Close()
	services, err := store.OpenServices(filepath.Join(in.State(), "services"), slog.Default())
	if err != nil {
		return err
	}
	spec, dirs := d.spec(), rundir.Dirs{Runtime: in.Runtime(), Logs: in.Logs()}
	for i := range d.r.n {
		_, err := services.Create(store.Desire{Coordinate: coordinate(i), Spec: &spec, Desired: service.Running, Generation: 1, Run: 1,
			Owner: store.Local, CreatedAt: time.Now().UTC(), Why: "it was put, to run"}, func(store.Desire) {})
		if err == nil {
			err = rundir.Prepare(dirs, coordinate(i).Path(), rundir.Owner{UID: os.Geteuid(), GID: os.Getegid()})
		}
		if err != nil {
			return err
		}
	}
	return services.Close()
}

// each does something for every service, a few at a time.
func (d *daemon) each(do func(service.Coordinate) error) error {
	g := group.New(context.Background())
	next := make(chan int)
	for worker := range 8 {
		g.Aside(fmt.Sprint("worker ", worker), func(context.Context) error {
			for i := range next {
				if err := do(coordinate(i)); err != nil {
					return err
				}
			}
			return nil
		})
	}
	for i := range d.r.n {
		select {
		case next <- i:
		case <-g.Context().Done():
		}
	}
	close(next)
	return g.Wait()
}

func (d *daemon) put() error {
	spec := d.spec()
	return d.each(func(c service.Coordinate) error {
		_, err := d.client.PutService(context.Background(), c, spec, client.Put{})
		return err
	})
}

// down ends the daemon in an orderly way; its services run on.
func (d *daemon) down() error {
	d.client.Close()
	return d.r.interrupt()
}

// clear removes all services, and ends the daemon.
func (d *daemon) clear() error {
	err := d.each(func(c service.Coordinate) error {
		return d.client.RemoveService(context.Background(), c, client.Removal{Purge: true})
	})
	if err != nil {
		return err
	}
	return d.down()
}
