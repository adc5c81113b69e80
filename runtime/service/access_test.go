package service

import (
	"encoding/json"
	"reflect"
	"testing"
)

func TestAccess(t *testing.T) {
	for text, want := range map[string]Access{
		`{"command":"x"}`:                                    {Confine: true, Write: []string{}},
		`{"command":"x","access":{}}`:                        {Confine: true, Write: []string{}},
		`{"command":"x","access":{"confine":false}}`:         {Write: []string{}},
		`{"command":"x","access":{"write":["/a/../b/"]}}`:    {Confine: true, Write: []string{"/b"}},
		`{"command":"x","access":{"new_privileges":true}}`:   {Confine: true, Write: []string{}, NewPrivileges: true},
		`{"command":"x","access":{"write":null}}`:            {Confine: true, Write: []string{}},
		`{"command":"x","access":{"write":["/srv","/run"]}}`: {Confine: true, Write: []string{"/srv", "/run"}},
	} {
		s := decode(t, JSON, text)
		if !reflect.DeepEqual(s.Access, want) {
			t.Errorf("%s: %+v; want %+v", text, s.Access, want)
		}
		written, err := json.Marshal(s)
		if err != nil || !decode(t, JSON, string(written)).Equal(s) {
			t.Errorf("%s is written as %s, %v, which is something else", text, written, err)
		}
	}
}
