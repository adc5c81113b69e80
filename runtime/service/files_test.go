package service

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/cloudname/nodee/internal/fault"
)

const sumOfX = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"

func TestFilesInTheirOneForm(t *testing.T) {
	s := decode(t, JSON, `{"artifact":"g:n:1","files":[
		{"path":"./conf//app.toml","text":"port = {{.Ports.http}}","template":true,"mode":"600"},
		{"path":"empty","text":""},
		{"path":"sum","text":"x","sha256":"`+strings.ToUpper(sumOfX)+`"},
		{"path":"tmp/seed","source":"artifact:conf/seed"},
		{"path":"data/","source":"s3://bucket/state.tar.gz","unpack":true,"sha256":"`+strings.ToUpper(sumOfX)+`"},
		{"path":"geo","source":"https://files.example.com/geo?sig=1","overwrite":true}],"ports":{"http":0}}`)
	got, err := json.Marshal(s.Files)
	want := `[{"path":"conf/app.toml","text":"port = {{.Ports.http}}","template":true,"mode":"0600","unpack":false,"overwrite":false},` +
		`{"path":"empty","text":"","template":false,"mode":"0644","unpack":false,"overwrite":false},` +
		`{"path":"sum","text":"x","template":false,"mode":"0644","unpack":false,"sha256":"` + sumOfX + `","overwrite":false},` +
		`{"path":"tmp/seed","source":"artifact:conf/seed","template":false,"mode":"0644","unpack":false,"overwrite":false},` +
		`{"path":"data","source":"s3://bucket/state.tar.gz","template":false,"mode":"0644","unpack":true,"sha256":"` + sumOfX + `","overwrite":false},` +
		`{"path":"geo","source":"https://files.example.com/geo?sig=1","template":false,"mode":"0644","unpack":false,"overwrite":true}]`
	if err != nil || string(got) != want {
		t.Errorf("%s, %v\nwant\n%s", got, err, want)
	}
	b, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	if again := decode(t, JSON, string(b)); !again.Equal(s) {
		t.Errorf("%s is read as %+v", b, again)
	}
}

func TestEveryFaultOfFilesIsTold(t *testing.T) {
	for entry, want := range map[string]string{
		`{"text":""}`:                                                      "path: is needed",
		`{"path":7,"text":""}`:                                             "path: must be a string",
		`{"path":"","text":""}`:                                            "path: must not be empty",
		`{"path":"/etc/passwd","text":""}`:                                 "path: must be relative",
		`{"path":"../up","text":""}`:                                       "path: must not lead out",
		`{"path":"a/../../up","text":""}`:                                  "path: must not lead out",
		`{"path":"a/..","text":""}`:                                        "path: must name something inside",
		`{"path":"./tmp/","text":""}`:                                      "path: is emptied before each start",
		`{"path":"a\nb","text":""}`:                                        "path: must not hold control characters",
		`{"path":"` + strings.Repeat("x", 256) + `","text":""}`:            "path: is too long",
		`{"path":"` + strings.Repeat("x/", 600) + `","text":""}`:           "path: is too long",
		`{"path":"a"}`:                                                     "source: is needed, or text",
		`{"path":"a","source":"artifact:x","text":""}`:                     "text: cannot stand beside source",
		`{"path":"a","source":"artifact:/etc/passwd"}`:                     "source: must be a path inside the artifact",
		`{"path":"a","source":"artifact:../x"}`:                            "source: must be a path inside the artifact",
		`{"path":"a","source":"artifact:"}`:                                "source: must be a path inside the artifact",
		`{"path":"a","source":"ftp://h/x"}`:                                "source: must begin with",
		`{"path":"a","source":"conf/x"}`:                                   "source: must begin with",
		`{"path":"a","source":"http:/x"}`:                                  "source: is no URL",
		`{"path":"a","source":"http://h/{{.Cell}}"}`:                       "source: is no URL",
		`{"path":"a","source":"http://u:p@h/x"}`:                           "source: must not hold a user or password",
		`{"path":"a","source":"http://h/x#y"}`:                             "source: must not have a part behind #",
		`{"path":"a","source":"s3://bucket"}`:                              "source: must name a bucket and a key",
		`{"path":"a","source":"s3://bucket/"}`:                             "source: must name a bucket and a key",
		`{"path":"a","source":"s3://bucket:1/x"}`:                          "source: must name a bucket and a key",
		`{"path":"a","source":"s3:///key"}`:                                "source: is no URL",
		`{"path":"a","text":"","mode":420}`:                                "mode: must be octal digits in quotes",
		`{"path":"a","text":"","mode":"0888"}`:                             "mode: must be octal digits",
		`{"path":"a","text":"","mode":"rw"}`:                               "mode: must be octal digits",
		`{"path":"a","text":"","mode":"4755"}`:                             `mode: must have no setuid, setgid and sticky bits: "0755" would do`,
		`{"path":"a","text":"","sha256":"12"}`:                             "sha256: must be a SHA-256 digest",
		`{"path":"a","text":"y","sha256":"` + sumOfX + `"}`:                "sha256: is not that of the text",
		`{"path":"a","source":"http://h/x","unpack":true,"template":true}`: "template: cannot stand beside unpack",
		`{"path":"a","text":"x","unpack":true}`:                            "unpack: is for archives",
		`{"path":"a","text":"x","unpack":"yes"}`:                           "unpack: must be true or false",
		`{"path":"a","text":"x","owner":"root"}`:                           "owner: unknown key",
		`{"path":"a","text":"{{.Nothing}}","template":true}`:               "text: cannot be filled in",
	} {
		_, err := Decode([]byte(`{"artifact":"g:n:1","files":[`+entry+`]}`), JSON, "")
		f := fault.FieldsOf(err)
		location, message, _ := strings.Cut(want, ": ")
		if len(f) != 1 || f[0].Location != "files[0]."+location || !strings.HasPrefix(f[0].Message, message) {
			t.Errorf("%s\ntold: %+v\nwant: %s", entry, f, want)
		}
	}
}

func TestFilesThatAreInEachOthersWay(t *testing.T) {
	_, err := Decode([]byte(`{"command":"x","files":["no table",
		{"path":"a","text":"1"},{"path":"./a","text":"2"},{"path":"a/b","text":"3"},
		{"path":"d","source":"http://h/d.zip","unpack":true},{"path":"d/e","text":"4"},
		{"path":"f","source":"artifact:f"},{"path":"ab","text":"5"}]}`), JSON, "body.")
	var got []string
	for _, f := range fault.FieldsOf(err) {
		got = append(got, fmt.Sprintf("%s: %s", f.Location, f.Message))
	}
	want := []string{
		"body.files[0]: must be a table of keys and values, not a string",
		"body.files[6].source: there is no artifact that it could be in; add artifact",
		"body.files[2].path: is that of files[1] already",
		"body.files[3].path: needs a folder where files[1] is a file",
		"body.files[3].path: needs a folder where files[2] is a file",
		"body.files[5].path: lies in the folder that the archive of files[4] becomes; choose a place beside it",
	}
	if !slices.Equal(got, want) {
		t.Errorf("told\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Secrets belong into env, whose values are masked; a file may name them.
func TestFilesAreFilledIn(t *testing.T) {
	s := decode(t, JSON, `{"command":"x","env":{"KEY":"hunter2"},"files":[
		{"path":"a","text":"key = {{.Env.KEY}}","template":true},{"path":"b","text":"{{.Env.KEY}}"},{"path":"c","source":"http://h/c","template":true}]}`)
	r, err := s.Render(Vars{Cell: "fbu"})
	if err != nil || *r.Files[0].Text != "key = hunter2" || *r.Files[1].Text != "{{.Env.KEY}}" || *s.Files[0].Text != "key = {{.Env.KEY}}" {
		t.Errorf("filled in %+v, %v; the spec's own %+v", r.Files, err, s.Files)
	}
	if text, err := r.Fill("{{.Cell}} {{.Env.KEY}}"); err != nil || text != "fbu hunter2" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := r.Fill("{{.Env.NONE}}"); err == nil {
		t.Error("a name that is not there was filled in")
	}
}
