package edge

import (
	"context"
	"errors"
	"testing"
)

type listIn struct {
	Known
	View string `query:"view"`
}

func TestListsCarryAVersion(t *testing.T) {
	version, built := "p-1", 0
	list := func(ctx context.Context, in *listIn) (*List[thing], error) {
		return Unless(ctx, in.Known, version, func() (thing, error) { built++; return thing{Name: "list"}, nil })
	}
	url := serve(t, newAPI(t, config(), Answer(route("GET", "/list", Read, "list"), list))) + "/list"
	ask := func(token, known string) response {
		return answerTo(t, request{method: "GET", url: url, token: token, header: map[string]string{"If-None-Match": known}})
	}

	first := ask("", "")
	tag := first.Header.Get("ETag")
	if first.StatusCode != 200 || tag != `W/"p-1"` || built != 1 || first.text != `{"name":"list"}`+"\n" {
		t.Fatalf("first: %d, ETag %q, built %d: %s", first.StatusCode, tag, built, first.text)
	}
	for _, known := range []string{tag, `"p-1"`, `W/"old", W/"p-1"`, `W/"old" ,"p-1"`, "*"} {
		res := ask("", known)
		if res.StatusCode != 304 || res.text != "" || res.Header.Get("ETag") != tag || built != 1 {
			t.Errorf("If-None-Match %q: %d, ETag %q, built %d: %q", known, res.StatusCode, res.Header.Get("ETag"), built, res.text)
		}
	}
	for _, known := range []string{`W/"p-2"`, "p-1", `"p-1`, `w/"p-1"`, "nonsense"} {
		if res := ask("", known); res.StatusCode != 200 {
			t.Errorf("If-None-Match %q: %d", known, res.StatusCode)
		}
	}
	// With the token the same list shows more, so it is not the known one.
	if res := ask(rightToken, tag); res.StatusCode != 200 || res.Header.Get("ETag") == tag || res.Header.Get("Vary") == "" {
		t.Errorf("with the token: %d, ETag %q, Vary %q", res.StatusCode, res.Header.Get("ETag"), res.Header.Get("Vary"))
	}
	version = "p-2"
	if res := ask("", tag); res.StatusCode != 200 || res.Header.Get("ETag") != `W/"p-2"` {
		t.Errorf("after a change: %d, ETag %q", res.StatusCode, res.Header.Get("ETag"))
	}
}

func TestAListThatCannotBeBuiltIsAProblem(t *testing.T) {
	list := func(ctx context.Context, in *listIn) (*List[thing], error) {
		return Unless(ctx, in.Known, "p-1", func() (thing, error) { return thing{}, errors.New("no list") })
	}
	url := serve(t, newAPI(t, config(), Answer(route("GET", "/list", Read, "list"), list)))
	res := answerTo(t, request{method: "GET", url: url + "/list"})
	res.problem(t, 500, "internal")
	if res.Header.Get("ETag") != "" {
		t.Error("a problem carries an ETag")
	}
}
