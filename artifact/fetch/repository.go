package fetch

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/cloudname/nodee/artifact"
)

// Repository is a place from which artifacts are fetched over HTTP.
type Repository struct {
	Name    string   // what errors, logs and installed artifacts call it
	URL     string   // http or https; may hold user and password, which are never shown
	Layout  string   // "maven2", "flat" or a template
	Groups  []string // globs of the groups that it serves, "com.example.*"; none: all
	Formats []string // extensions tried in this order where a reference names none
}

// Candidate is one place where an archive may be.
type Candidate struct {
	URL       string // without credentials
	Extension string
}

// The two layouts that have names, as templates. {group_path} is the group with slashes for
// dots, {-classifier} the classifier with a dash before it, or nothing.
var layouts = map[string]string{
	"maven2": "{group_path}/{name}/{version}/{name}-{version}{-classifier}.{ext}",
	"flat":   "{group}/{name}/{version}/{name}-{version}{-classifier}.{ext}",
}

var (
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
	placeholders = []string{"{group}", "{group_path}", "{name}", "{version}", "{classifier}", "{-classifier}", "{ext}"}

	repositoryName = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)
	groupGlob      = regexp.MustCompile(`^[A-Za-z0-9_+*][A-Za-z0-9_.+*-]*$`)
	format         = regexp.MustCompile(`^[A-Za-z0-9_+][A-Za-z0-9_.+-]{0,127}$`)
)

// ValidateLayout says what is wrong with a layout.
func ValidateLayout(layout string) error {
	if layouts[layout] != "" {
		return nil
	}
	if !strings.Contains(layout, "{") {
		return fmt.Errorf(`the layout %q is unknown, expected "maven2", "flat" or a template such as %q`, layout, layouts["flat"])
	}
	for _, p := range placeholder.FindAllString(layout, -1) {
		if !slices.Contains(placeholders, p) {
			return fmt.Errorf("the layout %q holds %s, expected only %s", layout, p, strings.Join(placeholders, " "))
		}
	}
	for _, p := range []string{"{name}", "{version}"} {
		if !strings.Contains(layout, p) {
			return fmt.Errorf("the layout %q does not hold %s, so it cannot tell artifacts apart", layout, p)
		}
	}
	plain := placeholder.ReplaceAllString(layout, "x")
	if strings.ContainsAny(plain, "{}?#%\\ ") || strings.ContainsFunc(plain, control) || path.Clean("/"+plain) != "/"+plain {
		return fmt.Errorf("the layout %q is no relative path: it holds a character that no path should, an empty part or dots", layout)
	}
	return nil
}

// Validate says everything that is wrong with a repository. No text of it shows the URL, as
// that may hold a password.
func (r Repository) Validate() error {
	var errs []error
	if !repositoryName.MatchString(r.Name) {
		errs = append(errs, fmt.Errorf("the name %q does not fit %s", r.Name, repositoryName))
	}
	if _, err := r.base(); err != nil {
		errs = append(errs, err)
	}
	errs = append(errs, ValidateLayout(r.Layout))
	for _, g := range r.Groups {
		if !groupGlob.MatchString(g) {
			errs = append(errs, fmt.Errorf(`the group %q is no glob, expected one such as "com.example.*"`, g))
		}
	}
	if len(r.Formats) == 0 {
		errs = append(errs, errors.New(`no formats are named, expected some such as "zip" and "tar.gz"`))
	}
	for _, f := range r.Formats {
		if !format.MatchString(f) {
			errs = append(errs, fmt.Errorf(`the format %q is no extension, expected one such as "zip" or "tar.gz"`, f))
		}
	}
	return errors.Join(errs...)
}

// base parses the repository's URL.
func (r Repository) base() (*url.URL, error) {
	u, err := url.Parse(r.URL)
	switch {
	case err != nil:
		return nil, errors.New("the url cannot be parsed, expected one such as https://repo.example.com/releases")
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		return nil, errors.New("the url is neither http:// nor https:// with a host")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "":
		return nil, errors.New("the url has a query or a fragment, to which no path can be added")
	}
	return u, nil
}

// Serves tells whether the repository is asked for artifacts of a group. In a glob * stands
// for anything, dots too; "com.example.*" means com.example itself as well.
func (r Repository) Serves(group string) bool {
	return len(r.Groups) == 0 || slices.ContainsFunc(r.Groups, func(glob string) bool {
		whole, below := strings.CutSuffix(glob, ".*")
		match, err := path.Match(glob, group)
		return err == nil && match || below && whole == group
	})
}

// URLs returns where the repository may have the archive of ref, in the order in which to
// ask. None: its layout has no place for the reference's classifier or extension.
func (r Repository) URLs(ref artifact.Ref) []Candidate {
	base, err := r.base()
	if err != nil {
		return nil
	}
	base.User = nil
	layout := r.Layout
	if l := layouts[layout]; l != "" {
		layout = l
	}
	if ref.Classifier != "" && !strings.Contains(layout, "classifier}") {
		return nil
	}
	extensions := r.Formats
	if ref.Extension != "" {
		extensions = []string{ref.Extension}
	}
	prefix := strings.TrimSuffix(base.String(), "/")
	if !strings.Contains(layout, "{ext}") {
		extensions = slices.DeleteFunc(slices.Clone(extensions), func(ext string) bool { return !strings.HasSuffix(layout, "."+ext) })
	}
	var found []Candidate
	for _, ext := range extensions {
		found = append(found, Candidate{URL: prefix + "/" + fill(layout, ref, ext), Extension: ext})
	}
	return found
}

// fill puts a reference into a template. Only + needs care in a URL: some servers take it
// for a space.
func fill(layout string, ref artifact.Ref, ext string) string {
	dashed := ""
	if ref.Classifier != "" {
		dashed = "-" + ref.Classifier
	}
	filled := strings.NewReplacer(
		"{group}", ref.Group, "{group_path}", strings.ReplaceAll(ref.Group, ".", "/"), "{name}", ref.Name,
		"{version}", ref.Version, "{classifier}", ref.Classifier, "{-classifier}", dashed, "{ext}", ext,
	).Replace(layout)
	return strings.ReplaceAll(filled, "+", "%2B")
}

// control tells whether a character steers a terminal, the direction of text included.
func control(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) }
