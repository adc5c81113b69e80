package tree

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"time"

	"github.com/cloudname/nodee/artifact"
)

// A manifest is JSON lines: one for each thing in the version, in the order of walk, then one
// that sums up. The last line is found from the file's end, so that Open reads 4 KiB of each
// manifest, however long it is, and a manifest that was cut off has none.

const (
	manifestSchema = 1
	summaryRoom    = 4 << 10 // no summary is longer
)

// kind is what a thing in a version is.
type kind string

const (
	folder kind = "folder"
	file   kind = "file"
	link   kind = "link"
)

// entry is one thing in a version. The version's own folder has the path ".".
type entry struct {
	Path   string `json:"path"`
	Kind   kind   `json:"kind"`
	Mode   string `json:"mode,omitempty"` // octal; links have none
	Size   int64  `json:"size,omitempty"`
	SHA256 string `json:"sha256,omitempty"`
	Target string `json:"target,omitempty"`
}

// summary is the last line of a manifest.
type summary struct {
	Schema      int       `json:"schema"`
	Artifact    string    `json:"artifact"`
	SHA256      string    `json:"sha256"` // of the archive
	Extension   string    `json:"extension,omitempty"`
	Repository  string    `json:"repository"`
	InstalledAt time.Time `json:"installed_at"`
	Files       int       `json:"files"`
	SizeBytes   int64     `json:"size_bytes"`
	UID         uint32    `json:"uid"` // who owns everything in it
	GID         uint32    `json:"gid"`
	Lines       string    `json:"lines_sha256"` // of the lines before this one
}

// artifact returns what the summary says of the version id, which stands at path.
func (s summary) artifact(id artifact.ID, path string) artifact.Artifact {
	return artifact.Artifact{
		ID: id, Path: path, SizeBytes: s.SizeBytes, Files: s.Files,
		SHA256: s.SHA256, Repository: s.Repository, InstalledAt: s.InstalledAt,
	}
}

// manifestWriter writes a manifest line by line.
type manifestWriter struct {
	w    *bufio.Writer
	hash hash.Hash
	json *json.Encoder // to w and hash
}

func newManifestWriter(w io.Writer) *manifestWriter {
	m := &manifestWriter{w: bufio.NewWriter(w), hash: sha256.New()}
	m.json = json.NewEncoder(io.MultiWriter(m.w, m.hash))
	m.json.SetEscapeHTML(false)
	return m
}

func (m *manifestWriter) add(e entry) error { return m.json.Encode(e) }

// finish writes the last line.
func (m *manifestWriter) finish(s summary) error {
	s.Schema = manifestSchema
	s.Lines = hex.EncodeToString(m.hash.Sum(nil))
	if err := m.json.Encode(s); err != nil {
		return err
	}
	return m.w.Flush()
}

// readSummary reads the last line of the manifest f, and returns where that line begins.
func readSummary(f *os.File, id artifact.ID) (summary, int64, error) {
	info, err := f.Stat()
	if err != nil {
		return summary{}, 0, err
	}
	from := max(0, info.Size()-summaryRoom)
	tail, err := io.ReadAll(io.NewSectionReader(f, from, info.Size()-from))
	if err != nil {
		return summary{}, 0, err
	}
	body, ended := bytes.CutSuffix(tail, []byte("\n"))
	start := bytes.LastIndexByte(body, '\n') + 1
	var s summary
	if err := json.Unmarshal(body[start:], &s); err != nil || !ended || s.Lines == "" {
		return summary{}, 0, errors.New("it is cut off or damaged")
	}
	if s.Schema != manifestSchema {
		return summary{}, 0, fmt.Errorf("its schema is %d, this Nodee knows %d", s.Schema, manifestSchema)
	}
	if s.Artifact != id.String() {
		return summary{}, 0, fmt.Errorf("it belongs to %s", s.Artifact)
	}
	return s, from + int64(start), nil
}

// manifestReader reads a manifest line by line. What it has to say was checked as a whole
// before the first line is given out.
type manifestReader struct {
	summary
	lines *json.Decoder
}

func newManifestReader(f *os.File, id artifact.ID) (*manifestReader, error) {
	s, end, err := readSummary(f, id)
	if err != nil {
		return nil, err
	}
	h := sha256.New()
	if _, err := io.Copy(h, io.NewSectionReader(f, 0, end)); err != nil {
		return nil, err
	}
	if hex.EncodeToString(h.Sum(nil)) != s.Lines {
		return nil, errors.New("it is damaged")
	}
	return &manifestReader{summary: s, lines: json.NewDecoder(io.NewSectionReader(f, 0, end))}, nil
}

// next returns the next entry, io.EOF after the last.
func (m *manifestReader) next() (entry, error) {
	var e entry
	err := m.lines.Decode(&e)
	return e, err
}
