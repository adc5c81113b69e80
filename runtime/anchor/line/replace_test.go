package line

import (
	"os"
	"testing"
)

func TestNothingIsTakenWhereNothingWasLeft(t *testing.T) {
	for _, text := range []string{"", "3", "3:4", "a:b:c", "0:1:127.0.0.1:0", "-1:5:x"} {
		t.Setenv(handoverVariable, text)
		if h := Taken(); h.Lock != nil || h.Listener != nil || h.Addr != "" {
			t.Errorf("%q: %+v", text, h)
		}
		if _, ok := os.LookupEnv(handoverVariable); ok {
			t.Errorf("%q is left for others", text)
		}
	}
}
