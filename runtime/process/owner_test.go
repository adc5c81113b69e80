package process

import (
	"os"
	"testing"

	"github.com/cloudname/nodee/runtime/supervise"
)

func TestOwnerIn(t *testing.T) {
	web := supervise.Key{Kind: "service", Name: "1.web.borud.fbu", Start: "ABC"}
	for what, c := range map[string]struct {
		groups string
		want   supervise.Key
	}{
		"a group of ours":               {"0::/nodee-1/service:1.web.borud.fbu@ABC\n", web},
		"below another group":           {"4:memory:/\n0::/system.slice/nodee-1/service:1.web.borud.fbu@ABC\n", web},
		"a group that it made itself":   {"0::/nodee-1/service:1.web.borud.fbu@ABC/inner/service:x@Y\n", web},
		"one of version 1":              {"6:freezer:/nodee-1/service:1.web.borud.fbu@ABC\n0::/\n", web},
		"a group of another prefix":     {"0::/nodee-12/service:1.web.borud.fbu@ABC\n", supervise.Key{}},
		"a name that is none":           {"0::/nodee-1/else\n", supervise.Key{}},
		"nobody's":                      {"0::/user.slice\n", supervise.Key{}},
		"what could not be read at all": {"", supervise.Key{}},
	} {
		if got, ok := ownerIn(c.groups, "nodee-1"); got != c.want || ok != (c.want.Name != "") {
			t.Errorf("%s: %v, %v", what, got, ok)
		}
	}
}

func TestOwnerOfAStranger(t *testing.T) {
	if key, ok := (&Launcher{folder: "nodee-1"}).Owner(os.Getpid()); ok {
		t.Errorf("this test is said to be %v", key)
	}
}
