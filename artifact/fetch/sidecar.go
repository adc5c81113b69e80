package fetch

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/cloudname/nodee/artifact"
)

// A sidecar is a small file beside an archive that holds its digest: the digits alone, as
// Maven writes it, lines of sha256sum ("<digits>  <file>"), or of BSD tools and openssl
// ("SHA256 (<file>) = <digits>").

// maxSidecar is the largest sidecar that is read, in bytes.
const maxSidecar = 64 << 10

// strongestFirst is the order in which sidecars are asked for.
var strongestFirst = []artifact.Algorithm{artifact.SHA512, artifact.SHA256, artifact.SHA1}

var (
	plainLine  = regexp.MustCompile(`^([0-9A-Fa-f]+)(?:[ \t]+\*?(.+))?$`)
	taggedLine = regexp.MustCompile(`^([A-Za-z0-9-]+) ?\((.+)\) ?= ?([0-9A-Fa-f]+)$`)
)

// errNoSidecar is what all that is wrong with a sidecar has in common.
var errNoSidecar = errors.New("it holds no digest of the archive")

// parseSidecar returns the digest of file that a sidecar holds. What a lone line says of the
// file's name does not count, as files are renamed; among several lines it picks the file's.
func parseSidecar(text string, algorithm artifact.Algorithm, file string) (artifact.Digest, error) {
	digits, err := sidecarDigits(text, algorithm, file)
	if err != nil {
		return artifact.Digest{}, fmt.Errorf("%w: %w", errNoSidecar, err)
	}
	d, err := artifact.ParseDigest(algorithm, digits)
	if err != nil {
		return artifact.Digest{}, fmt.Errorf("%w: %w", errNoSidecar, err)
	}
	return d, nil
}

func sidecarDigits(text string, algorithm artifact.Algorithm, file string) (string, error) {
	var lines, ours []string
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		digits, name, err := sidecarLine(line, algorithm)
		if err != nil {
			return "", err
		}
		lines = append(lines, digits)
		if path.Base(name) == file {
			ours = append(ours, digits)
		}
	}
	switch {
	case len(lines) == 0:
		return "", errors.New("it is empty")
	case len(lines) == 1:
		return lines[0], nil
	case len(ours) == 1:
		return ours[0], nil
	}
	return "", fmt.Errorf("of its %d lines, %d are for %s", len(lines), len(ours), file)
}

// sidecarLine takes a line of any of the three forms apart.
func sidecarLine(line string, algorithm artifact.Algorithm) (digits, name string, err error) {
	if m := plainLine.FindStringSubmatch(line); m != nil {
		return m[1], m[2], nil
	}
	m := taggedLine.FindStringSubmatch(line)
	if m == nil {
		return "", "", fmt.Errorf("%.80q is no line of a %s file", line, algorithm)
	}
	if !strings.EqualFold(strings.ReplaceAll(m[1], "-", ""), algorithm.String()) {
		return "", "", fmt.Errorf("it holds a %s digest, not %s", m[1], algorithm)
	}
	return m[3], m[2], nil
}
