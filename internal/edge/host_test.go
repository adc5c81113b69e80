package edge

import (
	"strings"
	"testing"
)

func TestExpectedHost(t *testing.T) {
	allowed := hostSet([]string{"Node1.Example.com.", "10.0.0.5:7040", "2001:db8::1", ""})
	for host, want := range map[string]bool{
		"localhost":                true,
		"localhost:7040":           true,
		"LOCALHOST.:1":             true,
		"nodee.localhost:80":       true,
		"127.0.0.1:7040":           true,
		"127.8.9.10":               true,
		"[::1]:7040":               true,
		"[::1]":                    true,
		"::1":                      true,
		"[::ffff:127.0.0.1]:1":     true,
		"node1.example.com":        true,
		"NODE1.example.com.:9":     true,
		"10.0.0.5":                 true,
		"[2001:db8:0::1]:7040":     true,
		"":                         false,
		":7040":                    false,
		"evil.example":             false,
		"evil.example:7040":        false,
		"localhost.evil.example":   false,
		"evillocalhost":            false,
		"localhost:7040.evil.test": false,
		"127.0.0.1.evil.example":   false,
		"node1.example.com.evil":   false,
		"0.0.0.0:7040":             false,
		"[::]:7040":                false,
		"10.0.0.6":                 false,
		"localhost@evil":           false,
		"2130706433":               false, // 127.0.0.1 as one number: browsers send it spelt out
	} {
		if got := expectedHost(host, allowed); got != want {
			t.Errorf("expectedHost(%q) = %v, want %v", host, got, want)
		}
	}
}

func TestAnUnexpectedHostIsRefusedEverywhere(t *testing.T) {
	cfg := config()
	cfg.Hosts = []string{"node1.example.com"}
	url := serve(t, newAPI(t, cfg, table()...))
	for _, path := range []string{"/public", "/read", "/nowhere", "/openapi.json"} {
		p := answerTo(t, request{method: "GET", url: url + path, host: "evil.example", token: rightToken}).problem(t, 403, "host-not-allowed")
		if !strings.Contains(p.Detail, "allowed_hosts") || !strings.Contains(p.Detail, "evil.example") {
			t.Errorf("detail = %q", p.Detail)
		}
	}
	if res := answerTo(t, request{method: "GET", url: url + "/public", host: "node1.example.com:99"}); res.StatusCode != 200 {
		t.Errorf("an allowed host: status %d", res.StatusCode)
	}
}

func TestCrossOriginWrites(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	own := url
	for _, tt := range []struct {
		method, path string
		header       map[string]string
		refused      bool
	}{
		{"POST", "/write", nil, false},
		{"POST", "/write", map[string]string{"Origin": own}, false},
		{"POST", "/write", map[string]string{"Origin": own, "Sec-Fetch-Site": "same-origin"}, false},
		{"POST", "/write", map[string]string{"Sec-Fetch-Site": "none"}, false},
		{"POST", "/write", map[string]string{"Origin": "http://evil.example"}, true},
		{"POST", "/write", map[string]string{"Origin": "http://localhost:1"}, true},
		{"POST", "/write", map[string]string{"Origin": "null"}, true},
		{"POST", "/write", map[string]string{"Origin": "null", "Sec-Fetch-Site": "same-origin"}, true},
		{"POST", "/write", map[string]string{"Sec-Fetch-Site": "cross-site"}, true},
		{"POST", "/write", map[string]string{"Sec-Fetch-Site": "same-site"}, true},
		{"PUT", "/things/a", map[string]string{"Origin": "http://evil.example"}, true},
		{"DELETE", "/nowhere", map[string]string{"Origin": "http://evil.example"}, true},
		{"GET", "/read", map[string]string{"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}, false},
		{"GET", "/read", map[string]string{"Origin": "null"}, false},
	} {
		res := answerTo(t, request{method: tt.method, url: url + tt.path, token: rightToken, header: tt.header})
		if tt.refused {
			res.problem(t, 403, "cross-origin")
		} else if res.StatusCode != 200 {
			t.Errorf("%s %s %v: status %d: %s", tt.method, tt.path, tt.header, res.StatusCode, res.text)
		}
		if h := res.Header.Get("Access-Control-Allow-Origin"); h != "" {
			t.Errorf("another origin may read the answer: %q", h)
		}
	}
}
