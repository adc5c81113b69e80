package artifact

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// maxPart is the longest that a part of a reference may be, in bytes.
const maxPart = 128

// maxFolder is the longest name that a file system gives a folder, in bytes.
const maxFolder = 255

// room stands for {os} and {arch} where lengths are checked: no name that Go has for a
// system is longer, so that what is accepted here fits on every node.
const room = "xxxxxxxxxxxx"

// Ref names an artifact: <group>:<name>:<version>[:<classifier>][@<extension>].
// The extension says which archive to fetch; it is no part of what the artifact is.
type Ref struct {
	Group, Name, Version string
	Classifier           string // may be empty, may hold {os} and {arch}
	Extension            string // "zip", "tar.gz"; empty: whichever the repository has
}

// ParseRef reads a reference. The error says which part is wrong and what is expected.
func ParseRef(s string) (Ref, error) {
	place, ext, pinned := strings.Cut(s, "@")
	parts := strings.Split(place, ":")
	if len(parts) < 3 || len(parts) > 4 {
		return Ref{}, fmt.Errorf("%q is no artifact, expected <group>:<name>:<version>[:<classifier>][@<extension>]", s)
	}
	r := Ref{Group: parts[0], Name: parts[1], Version: parts[2], Extension: ext}
	errs := []error{checkPart("group", r.Group), checkPart("name", r.Name), checkPart("version", r.Version)}
	if len(parts) == 4 {
		r.Classifier = parts[3]
		longest := r.For(room, room).Classifier
		errs = append(errs, checkPart("classifier", longest), checkFolder(r.Version, longest))
	}
	if pinned {
		errs = append(errs, checkPart("extension", ext))
	}
	if err := errors.Join(errs...); err != nil {
		return Ref{}, fmt.Errorf("%q is no artifact: %s", s, strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return r, nil
}

// checkPart holds one part of a reference against the grammar.
func checkPart(what, s string) error {
	switch {
	case s == "":
		return fmt.Errorf("its %s is empty", what)
	case len(s) > maxPart:
		return fmt.Errorf("its %s has %d characters, at most %d are accepted", what, len(s), maxPart)
	case s[0] == '.' || s[0] == '-':
		return fmt.Errorf("its %s starts with %q, expected a letter, a digit, _ or +", what, s[0])
	}
	for _, c := range s {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', strings.ContainsRune("_.+-", c):
		default:
			return fmt.Errorf("its %s holds %q, expected letters, digits and _ . + - only", what, c)
		}
	}
	return nil
}

// checkFolder refuses what no file system could hold: version and classifier make one
// folder name.
func checkFolder(version, classifier string) error {
	if len(ID{Version: version, Classifier: classifier}.Folder()) > maxFolder {
		return fmt.Errorf("its version and classifier together are longer than %d characters", maxFolder-1)
	}
	return nil
}

// String writes r as ParseRef reads it.
func (r Ref) String() string {
	s := ID{r.Group, r.Name, r.Version, r.Classifier}.String()
	if r.Extension != "" {
		s += "@" + r.Extension
	}
	return s
}

// MarshalText writes r.
func (r Ref) MarshalText() ([]byte, error) { return []byte(r.String()), nil }

// UnmarshalText reads r.
func (r *Ref) UnmarshalText(b []byte) (err error) {
	*r, err = ParseRef(string(b))
	return err
}

// For returns r with {os} and {arch} in its classifier replaced by those of a node,
// in Go's words: "linux", "amd64".
func (r Ref) For(os, arch string) Ref {
	r.Classifier = strings.NewReplacer("{os}", os, "{arch}", arch).Replace(r.Classifier)
	return r
}

// ID returns what the artifact is known by on disk. Call For first.
func (r Ref) ID() ID { return ID{r.Group, r.Name, r.Version, r.Classifier} }

// ID is an artifact's place in the tree. Unlike a Ref it has no extension, as a version is
// the same whichever archive it came in. It is comparable.
type ID struct{ Group, Name, Version, Classifier string }

// ParseID reads an ID from the three parts of its path, as in REST paths and on disk; the
// last is <version> or <version>@<classifier>.
func ParseID(group, name, versionAtClassifier string) (ID, error) {
	version, classifier, classified := strings.Cut(versionAtClassifier, "@")
	errs := []error{checkPart("group", group), checkPart("name", name), checkPart("version", version)}
	if classified {
		errs = append(errs, checkPart("classifier", classifier), checkFolder(version, classifier))
	}
	if err := errors.Join(errs...); err != nil {
		return ID{}, fmt.Errorf("%s is no artifact: %s", strings.Join([]string{group, name, versionAtClassifier}, "/"),
			strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return ID{group, name, version, classifier}, nil
}

// Folder returns the name of the version's own folder: "1.2.0" or "1.2.0@linux-amd64".
func (id ID) Folder() string {
	if id.Classifier == "" {
		return id.Version
	}
	return id.Version + "@" + id.Classifier
}

// Dir returns the place in the tree, relative and with slashes: "com.example/web/1.2.0".
func (id ID) Dir() string { return id.Group + "/" + id.Name + "/" + id.Folder() }

// String returns "group:name:version", with ":classifier" where there is one.
func (id ID) String() string {
	s := id.Group + ":" + id.Name + ":" + id.Version
	if id.Classifier != "" {
		s += ":" + id.Classifier
	}
	return s
}

// Compare orders by group, name, version and classifier, each as plain text.
func (id ID) Compare(other ID) int {
	return cmp.Or(
		strings.Compare(id.Group, other.Group), strings.Compare(id.Name, other.Name),
		strings.Compare(id.Version, other.Version), strings.Compare(id.Classifier, other.Classifier))
}
