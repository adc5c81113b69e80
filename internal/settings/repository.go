package settings

import (
	"fmt"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/cloudname/nodee/internal/document"
)

// A group of artifacts, * for any characters in it.
var groupGlob = regexp.MustCompile(`^[A-Za-z0-9_+*][A-Za-z0-9_.+*-]*$`)

// checkRepositories asks no more of a repository than artifact/fetch does, and no less.
func checkRepositories(c *checks, repositories []Repository) {
	seen := map[string]bool{}
	for i, r := range repositories {
		at := document.Element("repository", i)
		switch {
		case r.Name == "":
			c.add(at+".name", "", "is missing")
		case seen[r.Name]:
			c.add(at+".name", r.Name, fmt.Sprintf("%q is the name of another repository already", r.Name))
		default:
			c.add(at+".name", r.Name, matches(r.Name, name, "name"))
		}
		seen[r.Name] = true
		r.check(c, at)
	}
}

func (r *Repository) check(c *checks, at string) {
	c.add(at+".url", nil, urlFault(r.URL)) // no value: it may hold a password
	c.add(at+".layout", r.Layout, layoutFault(r.Layout))
	for _, g := range r.Groups {
		if !groupGlob.MatchString(g) {
			c.add(at+".groups", g, fmt.Sprintf(`%q is no group, expected one such as "com.example" or "com.example.*"`, g))
		}
	}
	if len(r.Formats) == 0 {
		c.add(at+".formats", r.Formats, "is empty, expected some of "+strings.Join(formats(), ", "))
	}
	for i, f := range r.Formats {
		switch {
		case !slices.Contains(formats(), f):
			c.add(at+".formats", f, fmt.Sprintf("%q is no format, expected some of %s", f, strings.Join(formats(), ", ")))
		case slices.Contains(r.Formats[:i], f):
			c.add(at+".formats", f, fmt.Sprintf("has %q twice", f))
		}
	}
}

// The parts of a layout's template. {group_path} is the group with slashes for its dots,
// {-classifier} the classifier behind a dash, or nothing.
var (
	placeholders = []string{"{group}", "{group_path}", "{name}", "{version}", "{classifier}", "{-classifier}", "{ext}"}
	placeholder  = regexp.MustCompile(`\{[^{}]*\}`)
)

// layoutFault complains of a layout that is neither known nor a usable template.
func layoutFault(layout string) string {
	if layout == "maven2" || layout == "flat" {
		return ""
	}
	if !strings.Contains(layout, "{name}") || !strings.Contains(layout, "{version}") {
		return fmt.Sprintf(`is %q, expected "maven2", "flat" or a template with {name} and {version}`, layout)
	}
	for _, p := range placeholder.FindAllString(layout, -1) {
		if !slices.Contains(placeholders, p) {
			return fmt.Sprintf("has %q, expected placeholders among %s", p, strings.Join(placeholders, " "))
		}
	}
	plain := placeholder.ReplaceAllString(layout, "x")
	if strings.ContainsAny(plain, `{}?#%\ `) || !printable(plain) || path.Clean("/"+plain) != "/"+plain {
		return fmt.Sprintf("is %q, expected a relative path of placeholders and plain characters", layout)
	}
	return ""
}

func urlFault(s string) string {
	u, err := url.Parse(s)
	switch {
	case s == "":
		return "is missing"
	case err != nil, u.Scheme != "http" && u.Scheme != "https", u.Hostname() == "":
		return "is no URL, expected one such as https://repo.example.com/releases"
	case u.RawQuery != "", u.ForceQuery, u.Fragment != "":
		return "has a query or a fragment, expected only what stands before an artifact's path"
	}
	return ""
}

// Redacted returns the URL with *** for what is secret in it: the password, or the user
// where that stands alone, for it is a token then.
func (r Repository) Redacted() string {
	u, err := url.Parse(r.URL)
	if err != nil {
		return "***"
	}
	if u.User == nil {
		return r.URL
	}
	secret := "***"
	if _, both := u.User.Password(); both {
		secret = u.User.Username() + ":***"
	}
	u.User = nil
	return strings.Replace(u.String(), "//", "//"+secret+"@", 1)
}
