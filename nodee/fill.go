package nodee

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/cloudname/nodee/runtime/anchor/line"
	"github.com/cloudname/nodee/runtime/process"
	"github.com/cloudname/nodee/runtime/rundir"
	"github.com/cloudname/nodee/runtime/rundir/source"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// openRuntime makes ready what services are started with: where their folders are, what their
// files come from, and who starts them.
func (a *Agent) openRuntime() (err error) {
	a.sayGuard("off")
	a.dirs = rundir.Dirs{Runtime: a.prefix.Runtime(), Logs: a.prefix.Logs()}
	if err := rundir.Sweep(a.dirs); err != nil {
		return err
	}
	s3 := a.cfg.Settings.S3
	a.sources, err = source.New(source.Config{
		S3:  source.S3{Endpoint: s3.Endpoint, Region: s3.Region, CredentialsFile: s3.CredentialsFile},
		Log: a.log,
	})
	if err != nil {
		return err
	}
	state := filepath.Join(a.prefix.State(), "process")
	if err := a.openExits(state); err != nil {
		return err
	}
	a.launcher, err = process.New(process.Config{StateDir: state, PrefixHash: a.prefix.Hash(), Protect: a.protected(), Exits: a.exits})
	return err
}

// openExits opens what tells how those ended that an anchor has reaped, and has the anchor go
// on with it.
func (a *Agent) openExits(dir string) (err error) {
	if a.exits, err = line.OpenExits(dir, a.boot); err != nil || a.cfg.Anchor == nil {
		return err
	}
	return a.cfg.Anchor.Keep(a.exits)
}

// fill fills the runtime directory of a service, which is made already.
func (a *Agent) fill(ctx context.Context, c service.Coordinate, j supervise.Job, r service.Rendered, owner rundir.Owner) error {
	filler := rundir.Filler{Dirs: a.dirs, Sources: a.sources, Limits: limitsOf(a.cfg.Settings)}
	defer a.filling.Delete(j.Name)
	err := filler.Fill(ctx, rundir.Order{Place: c.Path(), Owner: owner, Files: r.Files, Software: j.Software, Fill: r.Fill,
		Begin: func(f service.File) {
			if f.Source != "" {
				a.filling.Store(j.Name, fmt.Sprintf("; it fetches %s from %s", f.Path, source.Shown(f.Source)))
				a.services.Bump()
			}
		}})
	if err != nil && final(err) {
		return supervise.Final(err)
	}
	return err
}

// fetching tells which file of a service is being fetched, "" none is.
func (a *Agent) fetching(name string) string {
	text, _ := a.filling.Load(name)
	s, _ := text.(string)
	return s
}
