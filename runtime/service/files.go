package service

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/url"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/cloudname/nodee/internal/document"
)

// File is one entry of what the runtime directory is filled with before a start. Exactly one
// of Source and Text is there.
type File struct {
	Path      string  `json:"path"`             // inside the runtime directory, clean
	Source    string  `json:"source,omitempty"` // artifact:conf/x, http:, https:, s3://bucket/key
	Text      *string `json:"text,omitempty"`   // what the file holds
	Template  bool    `json:"template"`         // fill in the templates in it
	Mode      string  `json:"mode"`             // four octal digits
	Unpack    bool    `json:"unpack"`           // the source is an archive, Path the folder that it becomes
	SHA256    string  `json:"sha256,omitempty"` // of the source, as it was fetched
	Overwrite bool    `json:"overwrite"`        // also where there is something already
}

// Schemes of a file's source.
const (
	FromArtifact = "artifact"
	FromHTTP     = "http"
	FromHTTPS    = "https"
	FromS3       = "s3"
)

// Scheme is the part of the source before the colon.
func (f File) Scheme() string {
	scheme, _, _ := strings.Cut(f.Source, ":")
	return scheme
}

// defaultFileMode is what a file has whose entry does not say.
const defaultFileMode = "0644"

// What a path in a runtime directory may be: anything longer could not be named by an absolute
// path any more on some file systems.
const (
	maxFilePart = 255
	maxFilePath = 1024
)

var modeForm = regexp.MustCompile(`^0?[0-7]{3}$`)

// tmpDir is what the runtime directory has anyway.
const tmpDir = "tmp"

// readFiles takes the list of files. The faults of each stand beside those of the others.
func readFiles(r *document.Reader, s *Spec) {
	list, ok := r.List("files")
	if !ok {
		return
	}
	for i, v := range list {
		at := fmt.Sprintf("files[%d]", i)
		table, ok := v.(map[string]any)
		if !ok {
			r.Fault(at, v, "must be a table of keys and values, not %s", document.KindOf(v))
			s.Files = append(s.Files, File{}) // so that the others keep their numbers
			continue
		}
		s.Files = append(s.Files, readFile(r.Below(at, table), r.Has("artifact")))
	}
	checkPlaces(r, s.Files)
}

func readFile(r *document.Reader, inArtifact bool) File {
	f := File{Mode: defaultFileMode}
	readFilePath(r, &f.Path)
	hasSource := r.Text("source", &f.Source)
	var text string
	if r.Text("text", &text) {
		f.Text = &text
	}
	r.Truth("template", &f.Template)
	r.Truth("unpack", &f.Unpack)
	r.Truth("overwrite", &f.Overwrite)
	readFileMode(r, &f.Mode)
	readFileDigest(r, &f)
	r.Finish()
	switch {
	case !r.Has("source") && !r.Has("text"):
		r.Fault("source", nil, "is needed, or text: what is the file to hold?")
	case r.Has("source") && r.Has("text"):
		r.Fault("text", nil, "cannot stand beside source: a file has one of them")
	case hasSource:
		checkSource(r, f.Source, inArtifact)
	}
	switch {
	case f.Unpack && f.Template:
		r.Fault("template", nil, "cannot stand beside unpack: templates are filled in in single files only")
	case f.Unpack && f.Text != nil:
		r.Fault("unpack", nil, "is for archives, and a text is none; give a source")
	}
	return f
}

func readFilePath(r *document.Reader, into *string) {
	if !r.Has("path") {
		r.Take("path")
		r.Fault("path", nil, "is needed: where in the runtime directory the file goes")
		return
	}
	var p string
	if !r.Text("path", &p) {
		return
	}
	clean := path.Clean(p)
	tooLong := func(part string) bool { return len(part) > maxFilePart }
	switch {
	case p == "":
		r.Fault("path", p, "must not be empty")
	case strings.HasPrefix(p, "/"):
		r.Fault("path", p, "must be relative to the runtime directory, such as conf/app.toml")
	case !filepath.IsLocal(p):
		r.Fault("path", p, "must not lead out of the runtime directory")
	case clean == ".":
		r.Fault("path", p, "must name something inside the runtime directory, not the directory itself")
	case clean == tmpDir:
		r.Fault("path", p, "is emptied before each start; name something inside of it, or another place")
	case strings.ContainsFunc(p, unicode.IsControl):
		r.Fault("path", nil, "must not hold control characters")
	case len(clean) > maxFilePath || slices.ContainsFunc(strings.Split(clean, "/"), tooLong):
		r.Fault("path", nil, "is too long: at most %d bytes, and %d between two slashes", maxFilePath, maxFilePart)
	default:
		*into = clean
	}
}

// readFileMode brings the mode into its one form. Bits that change who a program runs as are
// not for files that come from elsewhere.
func readFileMode(r *document.Reader, into *string) {
	v, ok := r.Take("mode")
	if !ok {
		return
	}
	s, ok := v.(string)
	switch {
	case !ok:
		r.Fault("mode", v, `must be octal digits in quotes such as "0644", not %s`, document.KindOf(v))
	case len(s) == 4 && s[0] != '0' && modeForm.MatchString(s[1:]):
		r.Fault("mode", s, `must have no setuid, setgid and sticky bits: "0%s" would do`, s[1:])
	case !modeForm.MatchString(s):
		r.Fault("mode", s, `must be octal digits such as "0644" or "0755"`)
	default:
		*into = "0" + s[len(s)-3:]
	}
}

// readFileDigest takes sha256. A text is held against it at once.
func readFileDigest(r *document.Reader, f *File) {
	if !r.Text("sha256", &f.SHA256) {
		return
	}
	f.SHA256 = strings.ToLower(f.SHA256)
	if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != sha256.Size {
		r.Fault("sha256", f.SHA256, "must be a SHA-256 digest: 64 hexadecimal digits")
		return
	}
	if f.Text == nil {
		return
	}
	if sum := sha256.Sum256([]byte(*f.Text)); hex.EncodeToString(sum[:]) != f.SHA256 {
		r.Fault("sha256", f.SHA256, "is not that of the text, which is %x", sum)
	}
}

// checkSource looks at what can be told from the source's text. No source is shown again with
// a password in it.
func checkSource(r *document.Reader, source string, inArtifact bool) {
	scheme, rest, _ := strings.Cut(source, ":")
	switch scheme {
	case FromArtifact:
		switch {
		case !inArtifact:
			r.Fault("source", source, "there is no artifact that it could be in; add artifact")
		case !filepath.IsLocal(rest) || path.Clean(rest) == ".":
			r.Fault("source", source, "must be a path inside the artifact, such as artifact:conf/app.toml")
		}
	case FromHTTP, FromHTTPS, FromS3:
		checkSourceURL(r, source)
	default:
		r.Fault("source", nil, "must begin with artifact:, http:, https: or s3:")
	}
}

func checkSourceURL(r *document.Reader, source string) {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Host == "" || hasTemplate(source) || strings.ContainsFunc(source, unicode.IsControl):
		r.Fault("source", nil, "is no URL such as https://files.example.com/app.toml or s3://bucket/key")
	case u.User != nil:
		r.Fault("source", nil, "must not hold a user or password: everybody who may read the spec would see them")
	case u.Fragment != "":
		r.Fault("source", source, "must not have a part behind #")
	case u.Scheme == FromS3 && (strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Port() != ""):
		r.Fault("source", source, "must name a bucket and a key: s3://bucket/key; where the bucket is, is for the node's settings")
	}
}

// checkPlaces finds entries that cannot stand beside each other.
func checkPlaces(r *document.Reader, files []File) {
	for i, f := range files {
		at := fmt.Sprintf("files[%d].path", i)
		for j, g := range files {
			switch {
			case f.Path == "" || g.Path == "" || i == j:
			case f.Path == g.Path && j < i:
				r.Fault(at, f.Path, "is that of files[%d] already", j)
			case strings.HasPrefix(f.Path, g.Path+"/") && g.Unpack:
				r.Fault(at, f.Path, "lies in the folder that the archive of files[%d] becomes; choose a place beside it", j)
			case strings.HasPrefix(f.Path, g.Path+"/"):
				r.Fault(at, f.Path, "needs a folder where files[%d] is a file", j)
			}
		}
	}
}
