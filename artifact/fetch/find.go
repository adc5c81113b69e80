package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/httpget"
)

// archive is a downloaded archive whose digest has been checked.
type archive struct {
	repository, url, extension string
	size                       int64
	sha256                     string
}

// find downloads the archive of an artifact from the first repository that has it. A
// repository that fails is passed by; if no other has the archive, its failure is the answer,
// as the archive may be there.
func (f *Fetcher) find(ctx context.Context, r Request, file *os.File, p *progress) (archive, error) {
	var s search
	for _, repo := range f.repositories {
		if r.Repository != "" && r.Repository != repo.Name {
			continue
		}
		if !repo.Serves(r.Ref.Group) {
			s.unfit = append(s.unfit, repo.Name+" does not serve the group")
			continue
		}
		got, found, err := f.findIn(ctx, repo, r, file, p, &s)
		if err != nil || found {
			return got, err
		}
	}
	return archive{}, s.failure()
}

// findIn asks one repository. Where it has nothing to give, it tells s why.
func (f *Fetcher) findIn(ctx context.Context, repo Repository, r Request, file *os.File, p *progress, s *search) (archive, bool, error) {
	base, err := repo.base()
	if err != nil {
		return archive{}, false, fmt.Errorf("repository %s: %w", repo.Name, err)
	}
	candidates := repo.URLs(r.Ref)
	if len(candidates) == 0 {
		s.unfit = append(s.unfit, repo.Name+" has no place for such a classifier or extension in its layout")
	}
	for _, c := range candidates {
		d := download{client: f.client, limits: f.limits, url: c.URL, user: base.User, file: file, progress: p}
		got, err := d.run(ctx, r.SHA256)
		t, failed := errors.AsType[*httpget.Trouble](err)
		switch {
		case err == nil:
			got.repository, got.url, got.extension = repo.Name, c.URL, c.Extension
			return got, true, nil
		case errors.Is(err, httpget.ErrAbsent):
			s.tried = append(s.tried, c.URL)
		case !failed:
			return archive{}, false, fmt.Errorf("repository %s: %w", repo.Name, err)
		default:
			failed := fmt.Sprintf("repository %s %v", repo.Name, t)
			if !t.Refused { // some repositories refuse what they do not have: those are asked on
				s.failed = append(s.failed, failed)
				return archive{}, false, nil
			}
			s.failed = append(s.failed, failed+"; check the user and password in its url")
		}
	}
	return archive{}, false, nil
}

// search gathers why an artifact was not found.
type search struct {
	tried  []string // URLs where it is not
	failed []string // repositories that could not tell
	unfit  []string // repositories that were not asked
}

func (s search) failure() error {
	if len(s.failed) > 0 {
		return fault.New(fault.Upstream, "repository-failed", "%s; it may be there, so try again later or look after the repository",
			strings.Join(s.failed, "; "))
	}
	var why []string
	if len(s.tried) > 0 {
		why = append(why, "nothing at "+strings.Join(s.tried, ", "))
	}
	why = append(why, s.unfit...)
	if len(why) == 0 {
		why = append(why, "none is configured; add a [[repository]]")
	}
	return fault.New(fault.NotFound, "artifact-not-found", "not in any repository: %s", strings.Join(why, "; "))
}
