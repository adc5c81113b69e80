package artifact

import (
	"strings"
	"testing"
)

func TestParseSHA256(t *testing.T) {
	const empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	for _, in := range []string{empty, strings.ToUpper(empty)} {
		got, err := ParseSHA256(in)
		if err != nil || got != DigestOf(SHA256, SHA256.New()) || got.String() != "sha256:"+empty {
			t.Errorf("ParseSHA256(%q) = %v, %v", in, got, err)
		}
	}
	for in, why := range map[string]string{
		"":                    "there are 0 characters",
		empty[1:]:             "there are 63 characters",
		empty + "0":           "there are 65 characters",
		"g" + empty[1:]:       "hexadecimal digits only",
		"sha256:" + empty[7:]: "hexadecimal digits only",
	} {
		if got, err := ParseSHA256(in); err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("ParseSHA256(%q) = %v, %v; want an error with %q", in, got, err, why)
		}
	}
}

func TestAlgorithmsAreOrderedByStrength(t *testing.T) {
	for a, size := range map[Algorithm]int{SHA1: 20, SHA256: 32, SHA512: 64} {
		if got := a.New().Size(); got != size {
			t.Errorf("%v has %d bytes, want %d", a, got, size)
		}
	}
	if !(SHA1 < SHA256 && SHA256 < SHA512) {
		t.Error("the strongest does not come last")
	}
}
