package fetch

import (
	"errors"
	"strings"
	"testing"

	"github.com/cloudname/nodee/artifact"
)

const (
	someSHA1   = "da39a3ee5e6b4b0d3255bfef95601890afd80709"
	someSHA256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
	otherSum   = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
)

func TestParseSidecar(t *testing.T) {
	for _, text := range []string{
		someSHA256, someSHA256 + "\n", strings.ToUpper(someSHA256) + "\r\n", "\n  " + someSHA256 + "  \n\n",
		someSHA256 + "  web-1.zip\n", someSHA256 + " *web-1.zip", someSHA256 + "\tweb-1.zip", someSHA256 + "  ./build/other name.zip",
		"SHA256 (web-1.zip) = " + someSHA256, "SHA256(web-1.zip)= " + someSHA256, "sha-256 (x) = " + someSHA256,
		otherSum + "  web-2.zip\n" + someSHA256 + "  dist/web-1.zip\n" + otherSum + "  web-1.zip.asc\n",
	} {
		d, err := parseSidecar(text, artifact.SHA256, "web-1.zip")
		if err != nil || d.Hex != someSHA256 || d.Algorithm != artifact.SHA256 {
			t.Errorf("%q: %v, %v", text, d, err)
		}
	}
	for text, why := range map[string]string{
		"": "empty", " \n\n": "empty", "<html>not found</html>": "no line of a sha256 file", someSHA1: "expected 64", someSHA256 + "00": "expected 64",
		someSHA256[1:]: "expected 64", "SHA512 (web-1.zip) = " + someSHA256: "SHA512", someSHA256 + "\n" + otherSum: "of its 2 lines, 0 are for web-1.zip",
		otherSum + "  web-1.zip\n" + someSHA256 + "  web-1.zip": "2 are for", otherSum + "  a\n" + someSHA256 + "  b": "0 are for",
		"sha256:" + someSHA256: "no line",
	} {
		if d, err := parseSidecar(text, artifact.SHA256, "web-1.zip"); !errors.Is(err, errNoSidecar) || !strings.Contains(err.Error(), why) {
			t.Errorf("%q: %v, %v; want an error with %q", text, d, err, why)
		}
	}
}

func FuzzParseSidecar(f *testing.F) {
	for _, s := range []string{someSHA256, someSHA256 + "  web-1.zip", "SHA256 (web-1.zip) = " + someSHA256, "\n\n", "<html>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, a := range strongestFirst {
			d, err := parseSidecar(text, a, "web-1.zip")
			if err != nil {
				continue
			}
			if again, err := artifact.ParseDigest(a, d.Hex); err != nil || again != d || !strings.Contains(strings.ToLower(text), d.Hex) {
				t.Fatalf("%q gave %v, then %v, %v", text, d, again, err)
			}
		}
	})
}
