package service

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/fault"
)

func TestLogsAreRead(t *testing.T) {
	for text, want := range map[string]Logs{
		`{}`:                    {MaxSize: 10 << 20, Keep: 5, Compress: true},
		`{"max_size":"64KiB"}`:  {MaxSize: 64 << 10, Keep: 5, Compress: true},
		`{"max_size":4096}`:     {MaxSize: 4096, Keep: 5, Compress: true},
		`{"keep":0}`:            {MaxSize: 10 << 20, Compress: true},
		`{"compress":false}`:    {MaxSize: 10 << 20, Keep: 5},
		`{"max_age":"168h"}`:    {MaxSize: 10 << 20, Keep: 5, Compress: true, MaxAge: seconds(7 * 24 * 3600)},
		`{"max_age":"0s"}`:      {MaxSize: 10 << 20, Keep: 5, Compress: true},
		`{"max_size":"1TiB"}`:   {MaxSize: 1 << 40, Keep: 5, Compress: true},
		`{"keep":null}`:         {MaxSize: 10 << 20, Keep: 5, Compress: true},
		`{"max_size":"10MiB" }`: DefaultLogs(),
	} {
		s := decode(t, JSON, `{"command":"/bin/web","logs":`+text+`}`)
		if s.Logs != want {
			t.Errorf("%s is read as %+v, want %+v", text, s.Logs, want)
		}
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		if again := decode(t, JSON, string(b)); again.Logs != want {
			t.Errorf("%s: what was marshalled is read as %+v", text, again.Logs)
		}
	}
	if DefaultLogs().MaxAge.Std() != time.Duration(0) {
		t.Error("by default logs have no age")
	}
}

func TestWrongLogs(t *testing.T) {
	for text, where := range map[string][]string{
		`{"max_size":"4095"}`:      {"logs.max_size"},
		`{"max_size":"2TiB"}`:      {"logs.max_size"},
		`{"max_size":"10MB"}`:      {"logs.max_size"},
		`{"max_size":true}`:        {"logs.max_size"},
		`{"max_size":-1}`:          {"logs.max_size"},
		`{"keep":-1}`:              {"logs.keep"},
		`{"keep":1001}`:            {"logs.keep"},
		`{"keep":1.5}`:             {"logs.keep"},
		`{"max_age":"10ms"}`:       {"logs.max_age"},
		`{"max_age":10}`:           {"logs.max_age"},
		`{"compress":"yes"}`:       {"logs.compress"},
		`{"size":"1MiB"}`:          {"logs.size"},
		`[]`:                       {"logs"},
		`{"keep":-1,"max_size":0}`: {"logs.max_size", "logs.keep"},
	} {
		_, err := Decode([]byte(`{"command":"/bin/web","logs":`+text+`}`), JSON, "")
		var got []string
		for _, f := range fault.FieldsOf(err) {
			got = append(got, f.Location)
		}
		for _, w := range where {
			if !slices.Contains(got, w) || len(got) != len(where) {
				t.Errorf("%s: faults at %v, want %v (%v)", text, got, where, errors.Unwrap(err))
			}
		}
	}
}
