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
func readFiles(r *reader, s *Spec) {
	list, ok := r.list("files")
	if !ok {
		return
	}
	for i, v := range list {
		at := fmt.Sprintf("files[%d]", i)
		table, ok := v.(map[string]any)
		if !ok {
			r.fault(at, v, "must be a table of keys and values, not %s", kindOf(v))
			s.Files = append(s.Files, File{}) // so that the others keep their numbers
			continue
		}
		sub := newReader(r.at+at+".", table, r.faults)
		s.Files = append(s.Files, readFile(sub, r.table["artifact"] != nil))
	}
	checkPlaces(r, s.Files)
}

func readFile(r *reader, inArtifact bool) File {
	f := File{Mode: defaultFileMode}
	readFilePath(r, &f.Path)
	hasSource := r.text("source", &f.Source)
	var text string
	if r.text("text", &text) {
		f.Text = &text
	}
	r.truth("template", &f.Template)
	r.truth("unpack", &f.Unpack)
	r.truth("overwrite", &f.Overwrite)
	readFileMode(r, &f.Mode)
	readFileDigest(r, &f)
	r.finish()
	switch has := r.table; {
	case has["source"] == nil && has["text"] == nil:
		r.fault("source", nil, "is needed, or text: what is the file to hold?")
	case has["source"] != nil && has["text"] != nil:
		r.fault("text", nil, "cannot stand beside source: a file has one of them")
	case hasSource:
		checkSource(r, f.Source, inArtifact)
	}
	switch {
	case f.Unpack && f.Template:
		r.fault("template", nil, "cannot stand beside unpack: templates are filled in in single files only")
	case f.Unpack && f.Text != nil:
		r.fault("unpack", nil, "is for archives, and a text is none; give a source")
	}
	return f
}

func readFilePath(r *reader, into *string) {
	if r.table["path"] == nil {
		r.take("path")
		r.fault("path", nil, "is needed: where in the runtime directory the file goes")
		return
	}
	var p string
	if !r.text("path", &p) {
		return
	}
	clean := path.Clean(p)
	tooLong := func(part string) bool { return len(part) > maxFilePart }
	switch {
	case p == "":
		r.fault("path", p, "must not be empty")
	case strings.HasPrefix(p, "/"):
		r.fault("path", p, "must be relative to the runtime directory, such as conf/app.toml")
	case !filepath.IsLocal(p):
		r.fault("path", p, "must not lead out of the runtime directory")
	case clean == ".":
		r.fault("path", p, "must name something inside the runtime directory, not the directory itself")
	case clean == tmpDir:
		r.fault("path", p, "is emptied before each start; name something inside of it, or another place")
	case strings.ContainsFunc(p, unicode.IsControl):
		r.fault("path", nil, "must not hold control characters")
	case len(clean) > maxFilePath || slices.ContainsFunc(strings.Split(clean, "/"), tooLong):
		r.fault("path", nil, "is too long: at most %d bytes, and %d between two slashes", maxFilePath, maxFilePart)
	default:
		*into = clean
	}
}

// readFileMode brings the mode into its one form. Bits that change who a program runs as are
// not for files that come from elsewhere.
func readFileMode(r *reader, into *string) {
	v, ok := r.take("mode")
	if !ok {
		return
	}
	s, ok := v.(string)
	switch {
	case !ok:
		r.fault("mode", v, `must be octal digits in quotes such as "0644", not %s`, kindOf(v))
	case len(s) == 4 && s[0] != '0' && modeForm.MatchString(s[1:]):
		r.fault("mode", s, `must have no setuid, setgid and sticky bits: "0%s" would do`, s[1:])
	case !modeForm.MatchString(s):
		r.fault("mode", s, `must be octal digits such as "0644" or "0755"`)
	default:
		*into = "0" + s[len(s)-3:]
	}
}

// readFileDigest takes sha256. A text is held against it at once.
func readFileDigest(r *reader, f *File) {
	if !r.text("sha256", &f.SHA256) {
		return
	}
	f.SHA256 = strings.ToLower(f.SHA256)
	if b, err := hex.DecodeString(f.SHA256); err != nil || len(b) != sha256.Size {
		r.fault("sha256", f.SHA256, "must be a SHA-256 digest: 64 hexadecimal digits")
		return
	}
	if f.Text == nil {
		return
	}
	if sum := sha256.Sum256([]byte(*f.Text)); hex.EncodeToString(sum[:]) != f.SHA256 {
		r.fault("sha256", f.SHA256, "is not that of the text, which is %x", sum)
	}
}

// checkSource looks at what can be told from the source's text. No source is shown again with
// a password in it.
func checkSource(r *reader, source string, inArtifact bool) {
	scheme, rest, _ := strings.Cut(source, ":")
	switch scheme {
	case FromArtifact:
		switch {
		case !inArtifact:
			r.fault("source", source, "there is no artifact that it could be in; add artifact")
		case !filepath.IsLocal(rest) || path.Clean(rest) == ".":
			r.fault("source", source, "must be a path inside the artifact, such as artifact:conf/app.toml")
		}
	case FromHTTP, FromHTTPS, FromS3:
		checkSourceURL(r, source)
	default:
		r.fault("source", nil, "must begin with artifact:, http:, https: or s3:")
	}
}

func checkSourceURL(r *reader, source string) {
	u, err := url.Parse(source)
	switch {
	case err != nil || u.Host == "" || hasTemplate(source) || strings.ContainsFunc(source, unicode.IsControl):
		r.fault("source", nil, "is no URL such as https://files.example.com/app.toml or s3://bucket/key")
	case u.User != nil:
		r.fault("source", nil, "must not hold a user or password: everybody who may read the spec would see them")
	case u.Fragment != "":
		r.fault("source", source, "must not have a part behind #")
	case u.Scheme == FromS3 && (strings.Trim(u.Path, "/") == "" || u.RawQuery != "" || u.Port() != ""):
		r.fault("source", source, "must name a bucket and a key: s3://bucket/key; where the bucket is, is for the node's settings")
	}
}

// checkPlaces finds entries that cannot stand beside each other.
func checkPlaces(r *reader, files []File) {
	for i, f := range files {
		at := fmt.Sprintf("files[%d].path", i)
		for j, g := range files {
			switch {
			case f.Path == "" || g.Path == "" || i == j:
			case f.Path == g.Path && j < i:
				r.fault(at, f.Path, "is that of files[%d] already", j)
			case strings.HasPrefix(f.Path, g.Path+"/") && g.Unpack:
				r.fault(at, f.Path, "lies in the folder that the archive of files[%d] becomes; choose a place beside it", j)
			case strings.HasPrefix(f.Path, g.Path+"/"):
				r.fault(at, f.Path, "needs a folder where files[%d] is a file", j)
			}
		}
	}
}
