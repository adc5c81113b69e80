package edge

import (
	"net/http"
	"strings"
	"testing"
)

func TestTokenByAccessClass(t *testing.T) {
	const none = ""
	for _, tt := range []struct {
		require, method, path, token string
		status                       int
		trusted                      bool
	}{
		{"write", "GET", "/public", none, 200, false},
		{"write", "GET", "/read", none, 200, false},
		{"write", "POST", "/write", none, 401, false},
		{"write", "POST", "/write", rightToken, 200, true},
		{"write", "POST", "/write", "wrong", 401, false},
		{"write", "GET", "/read", rightToken, 200, true},
		{"write", "GET", "/read", "wrong", 401, false}, // said, not passed over
		{"write", "GET", "/public", "wrong", 200, false},
		{"write", "POST", "/later/a/b", none, 401, false},
		{"read", "GET", "/public", none, 200, false},
		{"read", "GET", "/read", none, 401, false},
		{"read", "GET", "/plain", none, 401, false},
		{"read", "GET", "/read", rightToken, 200, true},
		{"read", "POST", "/write", none, 401, false},
		{"never", "GET", "/read", none, 200, false},
		{"never", "POST", "/write", none, 200, false},
		{"never", "POST", "/write", "another daemon's", 200, false},
		{"never", "POST", "/write", rightToken, 200, true},
	} {
		t.Run(tt.require+" "+tt.method+" "+tt.path+" "+tt.token, func(t *testing.T) {
			cfg := config()
			cfg.RequireToken = tt.require
			url := serve(t, newAPI(t, cfg, table()...))
			res := answerTo(t, request{method: tt.method, url: url + tt.path, token: tt.token})
			if tt.status == http.StatusUnauthorized {
				p := res.problem(t, 401, "unauthenticated")
				if !strings.Contains(res.text, "Bearer <token>") {
					t.Errorf("it cannot be read as it comes: %s", res.text)
				}
				if !strings.HasPrefix(res.Header.Get("WWW-Authenticate"), "Bearer") || !strings.Contains(p.Detail, "/prefix/state/token") {
					t.Errorf("challenge %q, detail %q", res.Header.Get("WWW-Authenticate"), p.Detail)
				}
				return
			}
			if res.StatusCode != tt.status || strings.Contains(res.text, `"trusted":true`) != tt.trusted {
				t.Errorf("status %d %s, want %d, trusted %v", res.StatusCode, res.text, tt.status, tt.trusted)
			}
		})
	}
}

func TestAnEmptyTokenMatchesNothing(t *testing.T) {
	cfg := config()
	cfg.Token = func() string { return "" }
	url := serve(t, newAPI(t, cfg, table()...))
	for _, header := range []string{"Bearer ", "Bearer", "", "Basic Og=="} {
		res := answerTo(t, request{method: "POST", url: url + "/write", header: map[string]string{"Authorization": header}})
		res.problem(t, 401, "unauthenticated")
	}
}

func TestTheSchemeIsReadInAnyCase(t *testing.T) {
	url := serve(t, newAPI(t, config(), table()...))
	res := answerTo(t, request{method: "POST", url: url + "/write", header: map[string]string{"Authorization": "bearer " + rightToken}})
	if res.StatusCode != 200 {
		t.Errorf("status %d: %s", res.StatusCode, res.text)
	}
}

func TestATokenThatChangesCountsAtOnce(t *testing.T) {
	now := rightToken
	cfg := config()
	cfg.Token = func() string { return now }
	url := serve(t, newAPI(t, cfg, table()...))
	now = "another"
	answerTo(t, request{method: "POST", url: url + "/write", token: rightToken}).problem(t, 401, "unauthenticated")
}

func TestARequirementThatIsNoWordPanics(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("New took RequireToken \"sometimes\"")
		}
	}()
	cfg := config()
	cfg.RequireToken = "sometimes"
	New(cfg)
}
