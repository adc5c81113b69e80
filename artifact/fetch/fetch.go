// Package fetch brings artifacts from repositories into the tree: it finds the archive,
// downloads it, checks its digest, unpacks it into a staging folder and commits that.
//
// An archive is hostile until proven otherwise, which is the business of artifact/unpack; a fault
// in it leaves nothing behind but an error that names the entry. The digest is the request's,
// else that of the strongest sidecar that the repository has; where there is none, the archive
// is taken as it is.
//
// However many ask for an artifact at once, it is downloaded once. The download belongs to
// the Fetcher's group, not to one of those who asked: it ends early when none of them waits
// any more, or at Close, which waits for all downloads.
package fetch

import (
	"context"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/tree"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/group"
	"github.com/cloudname/nodee/internal/httpget"
)

// Options are what a Fetcher needs beside its tree. The zero value is fine.
type Options struct {
	Log   *slog.Logger  // told of downloads and of repositories that fail; nil: slog.Default
	Stall time.Duration // a repository that sends nothing for so long has failed; 0: 30 s
}

// Request asks for an artifact.
type Request struct {
	Ref        artifact.Ref
	Repository string // only this one is asked; empty: all in their order
	SHA256     string // of the archive, in either case; empty: unknown
}

// Fetcher installs artifacts. Its methods may be called by several goroutines at once.
type Fetcher struct {
	tree         *tree.Tree
	repositories []Repository
	limits       unpack.Limits
	client       *httpget.Client
	log          *slog.Logger
	tasks        *group.Group

	mu      sync.Mutex
	flights map[artifact.ID]*flight
	closed  bool
}

// New makes a Fetcher for repositories that are valid. Whoever makes it calls Close.
func New(t *tree.Tree, repositories []Repository, limits unpack.Limits, o Options) *Fetcher {
	if o.Log == nil {
		o.Log = slog.Default()
	}
	if o.Stall == 0 {
		o.Stall = 30 * time.Second
	}
	return &Fetcher{
		tree: t, repositories: repositories, limits: limits.OrDefault(), log: o.Log, client: httpget.New(o.Stall, o.Log),
		tasks: group.New(context.Background()), flights: make(map[artifact.ID]*flight),
	}
}

var errClosed = fault.New(fault.Unavailable, "shutting-down", "Nodee is shutting down; ask again when it is back")

// Close ends all downloads, which leave nothing behind, and waits for them.
func (f *Fetcher) Close() error {
	f.mu.Lock()
	f.closed = true
	f.mu.Unlock()
	f.tasks.End(errClosed)
	err := f.tasks.Wait()
	f.client.Close()
	return err
}

// Install returns the artifact, and downloads it if it is not there yet; created tells that
// this very call began the download. {os} and {arch} in the reference become this machine's.
// If ctx ends, this call returns, and the download goes on as long as another waits for it.
//
// Kinds of errors: Invalid for a bad request, a bad archive ("bad-archive") and a digest that
// differs ("digest-mismatch"); NotFound when no repository has it ("artifact-not-found");
// Upstream when it may be there but a repository failed ("repository-failed"); Conflict when
// it is installed with another digest ("digest-conflict"); Full when the disk is ("disk-full").
func (f *Fetcher) Install(ctx context.Context, r Request) (a artifact.Artifact, created bool, err error) {
	r.Ref = r.Ref.For(runtime.GOOS, runtime.GOARCH)
	if r, err = f.check(r); err == nil {
		a, created, err = f.install(ctx, r)
	}
	if err != nil {
		return artifact.Artifact{}, false, fmt.Errorf("cannot install %s: %w", r.Ref.ID(), err)
	}
	return a, created, nil
}

// check returns the request in its one form, or every fault in it.
func (f *Fetcher) check(r Request) (Request, error) {
	var fields []fault.Field
	if r.SHA256 != "" {
		d, err := artifact.ParseSHA256(r.SHA256)
		if err != nil {
			fields = append(fields, fault.Field{Location: "body.sha256", Message: err.Error(), Value: r.SHA256})
		}
		r.SHA256 = d.Hex
	}
	var names []string
	known := r.Repository == ""
	for _, repo := range f.repositories {
		names = append(names, repo.Name)
		known = known || repo.Name == r.Repository
	}
	if !known {
		fields = append(fields, fault.Field{Location: "body.repository", Value: r.Repository,
			Message: fmt.Sprintf("no repository of this name is configured; there are: %q", names)})
	}
	return r, fault.Fields("the request cannot be used", fields)
}

func (f *Fetcher) install(ctx context.Context, r Request) (artifact.Artifact, bool, error) {
	for {
		fl, boarded, began, err := f.board(r)
		if err != nil {
			return artifact.Artifact{}, false, err
		}
		if fl == nil {
			a, ok := f.tree.Get(r.Ref.ID())
			if !ok {
				continue // removed just now
			}
			return a, false, agrees(a, r)
		}
		select {
		case <-fl.done:
		case <-ctx.Done():
			if boarded {
				f.leave(fl)
			}
			return artifact.Artifact{}, false, context.Cause(ctx)
		}
		if boarded {
			return fl.result, began, fl.err
		}
		// It was asked for in another way: with another digest, say. Now that this has come
		// to its end, see what is there.
	}
}

// agrees tells whether what is installed is what the request means.
func agrees(a artifact.Artifact, r Request) error {
	switch {
	case r.SHA256 == "" || r.SHA256 == a.SHA256:
		return nil
	case a.SHA256 == "":
		return fault.New(fault.Conflict, "digest-conflict",
			"it is installed, but its manifest is damaged, so that nobody can tell whether its sha256 is %s; remove it and install it again", r.SHA256)
	}
	return fault.New(fault.Conflict, "digest-conflict",
		"it is installed with sha256 %s, asked for was %s; remove it first, or ask for what is there", a.SHA256, r.SHA256)
}

// perform does one installation.
func (f *Fetcher) perform(ctx context.Context, r Request, p *progress) (a artifact.Artifact, err error) {
	stage, err := f.tree.Stage(r.Ref.ID())
	if err != nil {
		return artifact.Artifact{}, err
	}
	defer func() {
		if err := stage.Discard(); err != nil {
			f.log.Warn("cannot clean up after an installation; the next start does", "artifact", r.Ref.ID(), "err", err)
		}
	}()
	file, err := stage.Scratch()
	if err != nil {
		return artifact.Artifact{}, err
	}
	defer file.Close()
	got, err := f.find(ctx, r, file, p)
	if err != nil {
		return artifact.Artifact{}, err
	}
	p.phase("unpacking", got.size)
	if err := unpack.Into(ctx, stage.Root(), unpack.NewPacked(ctx, file, got.size, &p.done), f.limits); err != nil {
		return artifact.Artifact{}, fmt.Errorf("%s: %w", got.url, err)
	}
	p.phase("saving", 0)
	file.Close() // so that the archive is not synced with what came out of it
	return f.tree.Commit(ctx, stage, tree.Meta{
		SHA256: got.sha256, Extension: got.extension, Repository: got.repository, InstalledAt: time.Now(),
	})
}

// finished puts the last touch to an error of perform: why it was told to end, or that the
// disk is full, wherever that was noticed.
func finished(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case isFull(err):
		return fault.Mark(fault.Full, "disk-full", fmt.Errorf("there is no space left; free some or raise the quota: %w", err))
	}
	return err
}
