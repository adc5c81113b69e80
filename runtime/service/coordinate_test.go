package service

import (
	"slices"
	"strings"
	"testing"
)

func TestParseCoordinate(t *testing.T) {
	for _, s := range []string{"1.web.borud.fbu", "0.a.b.c", "2147483647.my-service_2.u1.cell"} {
		c, err := ParseCoordinate(s)
		if err != nil || c.String() != s {
			t.Errorf("ParseCoordinate(%q) = %v, %v", s, c, err)
		}
	}
	for s, says := range map[string]string{
		"": "expected <instance>", "web.borud.fbu": "expected <instance>", "1.2.web.borud.fbu": "expected <instance>",
		"01.web.borud.fbu": "its instance", "-1.web.borud.fbu": "its instance", "2147483648.web.borud.fbu": "its instance",
		"+1.web.borud.fbu": "its instance", "x.web.borud.fbu": "its instance", ".web.borud.fbu": "its instance",
		"1.Web.borud.fbu": "its service", "1.web.9.fbu": "its user", "1.web.borud.": "its cell",
		"1.web.borud.f/u": "its cell", "1.web..fbu": "its user", "1." + strings.Repeat("a", 64) + ".u.c": "its service",
		"1.web\n.borud.fbu": "its service",
	} {
		if _, err := ParseCoordinate(s); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("ParseCoordinate(%q): %v, want an error about %q", s, err, says)
		}
	}
}

func TestCoordinatesAreOrderedForPeople(t *testing.T) {
	in := []Coordinate{{10, "a", "u", "c"}, {2, "a", "u", "c"}, {1, "b", "u", "c"}, {9, "z", "u", "b"}}
	slices.SortFunc(in, Coordinate.Compare)
	var got []string
	for _, c := range in {
		got = append(got, c.String())
	}
	want := "9.z.u.b 2.a.u.c 10.a.u.c 1.b.u.c"
	if strings.Join(got, " ") != want {
		t.Errorf("order %v, want %s", got, want)
	}
}

func FuzzParseCoordinate(f *testing.F) {
	for _, s := range []string{"1.web.borud.fbu", "01.a.b.c", "1.a.b", "...."} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		c, err := ParseCoordinate(s)
		if err != nil {
			return
		}
		if c.String() != s {
			t.Errorf("%q is read as %q", s, c)
		}
		if strings.Contains(c.Path(), "..") || strings.Count(c.Path(), "/") != 3 {
			t.Errorf("%q has the path %q", s, c.Path())
		}
	})
}
