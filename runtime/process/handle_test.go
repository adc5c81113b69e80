package process

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudname/nodee/runtime/supervise"
)

func TestNamesOfStarts(t *testing.T) {
	for _, key := range []supervise.Key{
		{Kind: "service", Name: "1.web.borud.fbu", Start: "a1B2"},
		{Kind: "run", Name: "with:colon@and.at", Start: "x"},
	} {
		name, err := nameOf(key)
		back, backErr := parseName(name)
		if err != nil || backErr != nil || back != key {
			t.Errorf("%+v is named %q, %v, which is read as %+v, %v", key, name, err, back, backErr)
		}
	}
	for _, key := range []supervise.Key{
		{},
		{Kind: "service", Name: "a"},
		{Kind: "service", Start: "a"},
		{Name: "a", Start: "a"},
		{Kind: "ser:vice", Name: "a", Start: "a"},
		{Kind: "service", Name: "a", Start: "a@b"},
		{Kind: "service", Name: "../x", Start: "a"},
		{Kind: "..", Name: "a/../../x", Start: "a"},
		{Kind: "service", Name: "a\nb", Start: "a"},
		{Kind: "service", Name: strings.Repeat("a", 300), Start: "a"},
	} {
		if name, err := nameOf(key); err == nil {
			t.Errorf("%+v is named %q; want it refused", key, name)
		}
	}
}

func TestHandles(t *testing.T) {
	l := &Launcher{prefix: "abc", folder: "nodee-abc"}
	rec := record{Boot: "b", Prefix: "abc", Name: "service:a@1", PID: 5, Began: 6, Inode: 7, Group: "/cg/nodee-abc/service:a@1"}
	if got, err := l.readHandle(rec.handle()); err != nil || got != rec {
		t.Errorf("handle %s is read as %+v, %v", rec.handle(), got, err)
	}
	for what, group := range map[string]string{
		"another prefix": "/cg/nodee-other/service:a@1", "another start": "/cg/nodee-abc/service:a@2", "anything": "/cg",
	} {
		other := rec
		other.Group = group
		if _, err := l.readHandle(other.handle()); !errors.Is(err, supervise.ErrForeign) {
			t.Errorf("the group of %s: %v; want ErrForeign", what, err)
		}
	}
}

func TestAHandleWithoutAGroupIsOfItsPrefix(t *testing.T) {
	l := &Launcher{prefix: "abc", folder: "nodee-abc"}
	for _, prefix := range []string{"", "other"} {
		rec := record{Boot: "b", Prefix: prefix, Name: "service:a@1", PID: 5, Began: 6}
		if _, err := l.readHandle(rec.handle()); !errors.Is(err, supervise.ErrForeign) {
			t.Errorf("of the prefix %q: %v; want ErrForeign", prefix, err)
		}
	}
}

func FuzzReadHandle(f *testing.F) {
	l := &Launcher{prefix: "abc", folder: "nodee-abc"}
	f.Add([]byte(`{"boot":"b","prefix":"abc","name":"service:a@1","pid":5,"began":6,"group":"/cg/nodee-abc/service:a@1"}`))
	f.Add([]byte(`{"name":"x"}`))
	f.Fuzz(func(t *testing.T, h []byte) {
		rec, err := l.readHandle(h)
		if err != nil {
			return
		}
		if again, err := l.readHandle(rec.handle()); err != nil || again != rec {
			t.Errorf("%s is read as %+v, and that, written, as %+v, %v", h, rec, again, err)
		}
	})
}
