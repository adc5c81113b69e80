package fetch

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/unpack"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/httpget"
)

// download is the way of one archive from a URL into a file.
type download struct {
	client   *httpget.Client
	limits   unpack.Limits
	url      string
	user     *url.Userinfo
	file     *os.File
	progress *progress
}

// run downloads and checks the archive. Sidecars are asked for only afterwards: a server that
// answers one request at a time could not send one while the archive waits to be read.
func (d *download) run(ctx context.Context, wanted string) (archive, error) {
	var got archive
	err := d.client.Get(ctx, d.url, d.user, func(body io.Reader, size int64) (err error) {
		got.sha256, got.size, err = d.save(body, size)
		return err
	})
	if err != nil {
		return archive{}, err
	}
	d.progress.phase("verifying", 0)
	want, from := artifact.Digest{Algorithm: artifact.SHA256, Hex: wanted}, "the request"
	if wanted == "" {
		want, from, err = d.sidecar(ctx)
	}
	if err != nil || want.Hex == "" {
		return got, err
	}
	is := got.sha256
	if want.Algorithm != artifact.SHA256 {
		is, err = d.digest(ctx, want.Algorithm, got.size)
	}
	if err == nil && is != want.Hex {
		err = fault.New(fault.Invalid, "digest-mismatch", "the digest differs: %s has %v %s, %s wants %s; "+
			"the archive was changed or damaged, or the digest is another one's", d.url, want.Algorithm, is, from, want.Hex)
	}
	return got, err
}

// save writes a body to the file, from its beginning, and returns its SHA-256 and size.
func (d *download) save(body io.Reader, size int64) (string, int64, error) {
	most := d.limits.Stream()
	if size > most {
		return "", 0, unpack.BadArchive("it has %d bytes, more than can be unpacked (unpack.max_bytes)", size)
	}
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		return "", 0, err
	}
	if err := d.file.Truncate(0); err != nil {
		return "", 0, err
	}
	d.progress.phase("downloading", max(size, 0))
	h := artifact.SHA256.New()
	n, err := io.Copy(io.MultiWriter(d.file, h, counter{d.progress}), io.LimitReader(body, most))
	if err == nil && n == most {
		err = unpack.BadArchive("it has %d bytes or more, more than can be unpacked (unpack.max_bytes)", most)
	}
	return artifact.DigestOf(artifact.SHA256, h).Hex, n, err
}

// counter adds what is written to the progress.
type counter struct{ *progress }

func (c counter) Write(p []byte) (int, error) {
	c.done.Add(int64(len(p)))
	return len(p), nil
}

// digest computes another digest of what was saved.
func (d *download) digest(ctx context.Context, a artifact.Algorithm, size int64) (string, error) {
	h := a.New()
	_, err := io.Copy(h, unpack.NewPacked(ctx, d.file, size, &d.progress.done).Start())
	return artifact.DigestOf(a, h).Hex, err
}

// sidecar returns the strongest digest that the repository has beside the archive, and its
// URL; no digest where there is none.
func (d *download) sidecar(ctx context.Context) (artifact.Digest, string, error) {
	for _, a := range strongestFirst {
		from := d.url + "." + a.String()
		text, err := d.text(ctx, from)
		if t, ok := errors.AsType[*httpget.Trouble](err); errors.Is(err, httpget.ErrAbsent) || ok && t.Refused {
			continue // where the archive was given out, a refusal means that there is none
		}
		var digest artifact.Digest
		if err == nil {
			digest, err = parseSidecar(text, a, path.Base(d.url))
		}
		if errors.Is(err, errNoSidecar) {
			err = fault.New(fault.Invalid, "bad-sidecar",
				"the digest file %s cannot be used: %w; mend it, or give the sha256 with the request", from, err)
		}
		return digest, from, err
	}
	return artifact.Digest{}, "", nil
}

// text gets a sidecar.
func (d *download) text(ctx context.Context, from string) (text string, err error) {
	err = d.client.Get(ctx, from, d.user, func(body io.Reader, _ int64) error {
		b, err := io.ReadAll(io.LimitReader(body, maxSidecar+1))
		if len(b) > maxSidecar {
			return fmt.Errorf("%w: it has more than %d bytes", errNoSidecar, maxSidecar)
		}
		text = string(b)
		return err
	})
	return text, err
}
