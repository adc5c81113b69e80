package rest_test

import (
	"strings"
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

const digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

func TestInstallArtifact(t *testing.T) {
	f := newFace(t)
	body := `{"artifact":"com.example:web:1.2.0:linux-amd64@zip","repository":"central","sha256":"` + digest + `"}`
	for _, status := range []int{201, 200} {
		got := is[api.Artifact](t, f.ask(t, "POST", "/v1/artifacts", body), status)
		if got.Artifact != "com.example:web:1.2.0:linux-amd64" || got.Repository != "central" || got.SHA256 != digest {
			t.Errorf("got %+v", got)
		}
	}
	want := `InstallArtifact com.example:web:1.2.0:linux-amd64@zip from "central" sha256=` + digest
	if got := f.Calls()[0]; got != want {
		t.Errorf("the node was asked for %s, want %s", got, want)
	}
}

func TestInstallRefusesWhatIsMalformed(t *testing.T) {
	f := newFace(t)
	for body, want := range map[string]string{
		`{"artifact":"web"}`:                                    "body.artifact",
		`{"artifact":"a:b:1","sha256":"abc"}`:                   "body.sha256",
		`{"artifact":"a:b:../c","sha256":"` + digest[1:] + `"}`: "body.artifact body.sha256",
		`{}`:                                  "body",
		`{"artifact":"a:b:1","colour":"red"}`: "body.colour",
		`{"artifact":7}`:                      "body.artifact",
		`{"artifact":"a:b:1","repository":["one"]}`: "body.repository",
	} {
		faulty(t, f.ask(t, "POST", "/v1/artifacts", body), strings.Fields(want)...)
	}
	for _, body := range []string{"", "hush", `{"artifact":`} {
		refused(t, f.ask(t, "POST", "/v1/artifacts", body), 400, "malformed-json")
	}
	refused(t, f.ask(t, "POST", "/v1/artifacts", `{"artifact":"`+strings.Repeat("x", 1<<20)+`"}`), 413, "body-too-large")
	if got := f.Calls(); got != nil {
		t.Errorf("the node was asked all the same: %v", got)
	}
}

func TestListArtifacts(t *testing.T) {
	f := newFace(t)
	first := f.ask(t, "GET", "/v1/artifacts", "")
	if first.text != `{"artifacts":[]}`+"\n" {
		t.Errorf("none: %s", first.text)
	}
	tag := first.Header.Get("ETag")
	if res := f.ask(t, "GET", "/v1/artifacts", "", "If-None-Match", tag); res.StatusCode != 304 || !strings.HasPrefix(tag, `W/"`) {
		t.Errorf("unchanged: %d, ETag %s", res.StatusCode, tag)
	}
	f.ask(t, "POST", "/v1/artifacts", `{"artifact":"g:n:1"}`)
	got := is[api.Artifacts](t, f.ask(t, "GET", "/v1/artifacts", "", "If-None-Match", tag), 200)
	if len(got.Artifacts) != 1 || got.Artifacts[0].Artifact != "g:n:1" {
		t.Errorf("got %+v", got)
	}
}

func TestOneArtifact(t *testing.T) {
	f := newFace(t)
	f.ask(t, "POST", "/v1/artifacts", `{"artifact":"g:n:1.2.0+b:linux-amd64"}`)
	for _, path := range []string{"/v1/artifacts/g/n/1.2.0+b@linux-amd64", "/v1/artifacts/g/n/1.2.0%2Bb%40linux-amd64"} {
		if got := is[api.Artifact](t, f.ask(t, "GET", path, ""), 200); got.Classifier != "linux-amd64" {
			t.Errorf("%s: %+v", path, got)
		}
	}
	const path = "/v1/artifacts/g/n/1.2.0+b@linux-amd64"
	if res := f.ask(t, "POST", path+"/verify", ""); res.StatusCode != 200 || res.text != `{"ok":true,"faults":[]}`+"\n" {
		t.Errorf("verify: %d %s", res.StatusCode, res.text)
	}
	f.Fail("RemoveArtifact", fault.New(fault.Conflict, "in-use", "cannot remove it: 1.web.borud.fbu names it"))
	refused(t, f.ask(t, "DELETE", path, ""), 409, "in-use")
	f.Fail("RemoveArtifact", nil)
	if res := f.ask(t, "DELETE", path, ""); res.StatusCode != 204 || res.text != "" {
		t.Errorf("delete: %d %q", res.StatusCode, res.text)
	}
	for _, r := range []struct{ method, path string }{{"GET", path}, {"DELETE", path}, {"POST", path + "/verify"}, {"GET", "/v1/artifacts/g/n/1.2.0+b"}} {
		refused(t, f.ask(t, r.method, r.path, ""), 404, "no-such-artifact")
	}
}

func TestMalformedArtifactPaths(t *testing.T) {
	f := newFace(t)
	for path, where := range map[string]string{
		"/v1/artifacts/.g/n/1":                          "path.group",
		"/v1/artifacts/g/-n/1":                          "path.name",
		"/v1/artifacts/g/n/a%20b":                       "path.version",
		"/v1/artifacts/g/n/1@":                          "path.version",
		"/v1/artifacts/g/n/1@a@b":                       "path.version",
		"/v1/artifacts/%2e%2e/n/1":                      "path.group",
		"/v1/artifacts/g/n/1@{os}":                      "path.version",
		"/v1/artifacts/g/n%00/1":                        "path.name",
		"/v1/artifacts/g/n/" + strings.Repeat("1", 129): "path.version",
	} {
		faulty(t, f.ask(t, "GET", path, ""), where)
		faulty(t, f.ask(t, "DELETE", path, ""), where)
		faulty(t, f.ask(t, "POST", path+"/verify", ""), where)
	}
}

func TestInstallTroubleKeepsItsKind(t *testing.T) {
	f := newFace(t)
	for status, err := range map[int]error{
		404: fault.New(fault.NotFound, "not-in-any-repository", "no"),
		409: fault.New(fault.Conflict, "digest-differs", "no"),
		422: fault.New(fault.Invalid, "bad-archive", "no"),
		502: fault.New(fault.Upstream, "repository-failed", "no"),
		507: fault.New(fault.Full, "disk-full", "no"),
	} {
		f.Fail("InstallArtifact", err)
		refused(t, f.ask(t, "POST", "/v1/artifacts", `{"artifact":"a:b:1"}`), status, fault.SlugOf(err))
	}
}
