package fetch

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/artifact"
)

var central = Repository{Name: "central", URL: "https://repo.example.com/releases", Layout: "maven2", Formats: []string{"zip", "tar.gz"}}

func ref(t testing.TB, s string) artifact.Ref {
	t.Helper()
	r, err := artifact.ParseRef(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestURLs(t *testing.T) {
	for _, c := range []struct {
		why, layout, ref string
		want             []string
	}{
		{"groups are folders, formats in order", "maven2", "com.example:web:1.2.0",
			[]string{"com/example/web/1.2.0/web-1.2.0.zip", "com/example/web/1.2.0/web-1.2.0.tar.gz"}},
		{"a classifier has a dash", "maven2", "com.example:web:1.2.0:linux", []string{"com/example/web/1.2.0/web-1.2.0-linux.zip", "com/example/web/1.2.0/web-1.2.0-linux.tar.gz"}},
		{"a pinned extension is the only one", "maven2", "com.example:web:1@jar", []string{"com/example/web/1/web-1.jar"}},
		{"the group is one folder", "flat", "com.example:web:1@zip", []string{"com.example/web/1/web-1.zip"}},
		{"a template", "x/{group_path}/{group}-{name}_{classifier}{-classifier}.{version}.{ext}", "a.b:web:1:c@zip", []string{"x/a/b/a.b-web_c-c.1.zip"}},
		{"a plus is no space", "flat", "g:web:1+2@zip", []string{"g/web/1%2B2/web-1%2B2.zip"}},
		{"no place for a classifier", "{name}-{version}.{ext}", "g:web:1:c", nil},
		{"a fixed extension", "{name}-{version}.tar.gz", "g:web:1", []string{"web-1.tar.gz"}},
		{"another than the fixed extension", "{name}-{version}.tar.gz", "g:web:1@zip", nil},
		{"a placeholder's name as a part is left alone", "flat", "ext:ext:1@ext", []string{"ext/ext/1/ext-1.ext"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			for _, base := range []string{"https://user:secret@repo.example.com/releases", "https://repo.example.com/releases/"} {
				r := central
				r.URL, r.Layout = base, c.layout
				if err := r.Validate(); err != nil {
					t.Fatal(err)
				}
				var got []string
				for _, found := range r.URLs(ref(t, c.ref)) {
					if _, err := url.Parse(found.URL); err != nil {
						t.Error(err)
					}
					if !strings.HasSuffix(found.URL, found.Extension) {
						t.Errorf("%s has the extension %s", found.URL, found.Extension)
					}
					got = append(got, strings.TrimPrefix(found.URL, "https://repo.example.com/releases/"))
				}
				if !slices.Equal(got, c.want) {
					t.Errorf("URLs = %q, want %q", got, c.want)
				}
			}
		})
	}
}

func TestValidateLayout(t *testing.T) {
	for _, ok := range []string{"maven2", "flat", "{group}/{name}/{version}/{name}-{version}{-classifier}.{ext}", "all/{name}-{version}.zip"} {
		if err := ValidateLayout(ok); err != nil {
			t.Errorf("%q: %v", ok, err)
		}
	}
	for layout, why := range map[string]string{
		"": "unknown", "maven": "unknown", "maven2/": "unknown", "{name}/{versoin}": "{versoin}", "{name}.{ext}": "does not hold {version}",
		"{version}.{ext}": "does not hold {name}", "/{name}-{version}": "relative path", "../{name}-{version}": "relative path",
		"{name}/../{version}": "relative path", "{name}//{version}": "relative path", "{name}-{version}?x": "relative path",
		"{name}-{version}#x": "relative path", "{{name}}-{version}": "relative path", "{name}-{version}\n": "relative path", "{name}-{version}%2e": "relative path",
		"{name}/{version}/": "relative path", `{name}\{version}`: "relative path",
	} {
		if err := ValidateLayout(layout); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v; want an error with %q", layout, err, why)
		}
	}
}

func TestValidateTellsAllAndNoSecret(t *testing.T) {
	r := Repository{Name: "Central", URL: "https://user:secret@repo ex:ample/", Layout: "x", Groups: []string{"com.*", "a/b"}, Formats: []string{"zip", "../x"}}
	err := r.Validate()
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{`"Central"`, "url cannot be parsed", `layout "x"`, `group "a/b"`, `format "../x"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not told in: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), `"com.*"`) {
		t.Errorf("told too much: %v", err)
	}
	for _, u := range []string{"", "repo.example.com", "ftp://repo.example.com", "http://", "http://x/?token=1", "http://x/?", "http://x/#y", "/var/repo"} {
		r := central
		r.URL = u
		if r.Validate() == nil {
			t.Errorf("the url %q was accepted", u)
		}
	}
	none := central
	none.Formats = nil
	if none.Validate() == nil {
		t.Error("no formats were accepted")
	}
}

func TestServes(t *testing.T) {
	for _, c := range []struct {
		globs string
		yes   string
		no    string
	}{
		{"", "com.example x", ""},
		{"com.example.*", "com.example com.example.web com.example.web.x", "com com.examples org.com.example"},
		{"com.example", "com.example", "com.example.web com"},
		{"*", "com x.y", ""},
		{"*.internal com.x", "a.internal a.b.internal com.x", "internal com.x.y"},
		{"com.ex*", "com.example com.ex.y com.ex", "com.e"},
	} {
		r := Repository{Groups: strings.Fields(c.globs)}
		for g := range strings.FieldsSeq(c.yes) {
			if !r.Serves(g) {
				t.Errorf("%q does not serve %q", c.globs, g)
			}
		}
		for g := range strings.FieldsSeq(c.no) {
			if r.Serves(g) {
				t.Errorf("%q serves %q", c.globs, g)
			}
		}
	}
}
