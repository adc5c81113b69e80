package assign

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

// specs are those that the document names, on disk as they stand in the cell, each in a file
// that has its digest for a name.
type specs struct {
	dir   string
	log   *slog.Logger
	known map[string]service.Spec // those that were used, by digest
}

func openSpecs(dir string, log *slog.Logger) (*specs, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("cannot open the specs of what the cell assigns: %w", err)
	}
	return &specs{dir: dir, log: log, known: map[string]service.Spec{}}, nil
}

// get returns a spec that is kept already. What is on disk is read again where its digest is
// another: the cell has it still. The error says that the spec itself cannot be used.
func (s *specs) get(digest string) (_ service.Spec, there bool, _ error) {
	if spec, ok := s.known[digest]; ok {
		return spec, true, nil
	}
	data, err := os.ReadFile(filepath.Join(s.dir, digest))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Error("cannot read a spec that the cell has assigned; it is fetched again", "spec", digest, "err", err)
		}
		return service.Spec{}, false, nil
	}
	if !zkschema.IsSpec(digest, data) {
		s.log.Error("a spec that the cell has assigned is damaged on disk; it is fetched again", "spec", digest)
		return service.Spec{}, false, nil
	}
	spec, err := zkschema.DecodeSpec(digest, data)
	if err == nil {
		s.known[digest] = spec
	}
	return spec, true, err
}

// keep writes a spec down as it stands in the cell.
func (s *specs) keep(digest string, data []byte) error {
	if !zkschema.IsSpec(digest, data) {
		return fmt.Errorf("what stands in the cell as the spec %s has another digest", digest)
	}
	return fault.Disk(publish.Durable(filepath.Join(s.dir, digest), data, 0o600))
}

// sweep removes what nothing names.
func (s *specs) sweep(units []zkschema.AssignedUnit) {
	named := make(map[string]bool, len(units))
	for _, u := range units {
		named[u.Spec] = true
	}
	for digest := range s.known {
		if !named[digest] {
			delete(s.known, digest)
		}
	}
	files, err := os.ReadDir(s.dir)
	for _, f := range files {
		if !named[f.Name()] {
			err = errors.Join(err, os.Remove(filepath.Join(s.dir, f.Name())))
		}
	}
	if err != nil {
		s.log.Warn("cannot remove specs that nothing names any more", "dir", s.dir, "err", err)
	}
}

// artifacts names what the specs need that were used since the daemon's start.
func (s *specs) artifacts() (out []string) {
	for _, spec := range s.known {
		if spec.Artifact != "" {
			out = append(out, spec.Artifact)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// fetch brings the specs of some units that are not kept yet, and returns why it could not, by
// digest.
func (a *Assigner) fetch(ctx context.Context, units []zkschema.AssignedUnit) map[string]error {
	failed := map[string]error{}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("nothing was answered within %s", patience))
	defer cancel()
	for _, u := range units {
		if _, there, _ := a.specs.get(u.Spec); there || failed[u.Spec] != nil {
			continue
		}
		if err := a.fetchOne(ctx, u.Spec); err != nil {
			failed[u.Spec] = fmt.Errorf("cannot fetch its spec %.12s: %w; what runs goes on, and that is tried again", u.Spec, err)
		}
	}
	return failed
}

func (a *Assigner) fetchOne(ctx context.Context, digest string) error {
	r, err := a.cfg.Sessions.Reader()
	if err != nil {
		return err
	}
	data, _, err := r.Get(ctx, a.cfg.Cell.Spec(digest), a.watch)
	if err != nil {
		return err
	}
	return a.specs.keep(digest, data)
}
