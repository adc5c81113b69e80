package artifact

import (
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"strings"
)

// Algorithm is a way to digest an archive. The zero value is none.
type Algorithm uint8

// The algorithms, the weakest first.
const (
	_ Algorithm = iota
	SHA1
	SHA256
	SHA512
)

// String returns the algorithm's name, which is also a sidecar's extension: "sha256".
func (a Algorithm) String() string {
	switch a {
	case SHA1:
		return "sha1"
	case SHA256:
		return "sha256"
	case SHA512:
		return "sha512"
	}
	return "none"
}

// New returns a hash that computes digests of this algorithm.
func (a Algorithm) New() hash.Hash {
	switch a {
	case SHA1:
		return sha1.New()
	case SHA256:
		return sha256.New()
	case SHA512:
		return sha512.New()
	}
	panic("artifact: the zero Algorithm computes nothing")
}

// Digest is what an archive is known by. It is comparable; the zero Digest is none.
type Digest struct {
	Algorithm Algorithm
	Hex       string // in lower case
}

// ParseDigest reads the hexadecimal form of a digest, in either case.
func ParseDigest(a Algorithm, s string) (Digest, error) {
	want := 2 * a.New().Size()
	if len(s) != want {
		return Digest{}, fmt.Errorf("%q is no %s, expected %d hexadecimal digits, there are %d characters", s, a, want, len(s))
	}
	if _, err := hex.DecodeString(s); err != nil {
		return Digest{}, fmt.Errorf("%q is no %s, expected hexadecimal digits only", s, a)
	}
	return Digest{a, strings.ToLower(s)}, nil
}

// ParseSHA256 reads a SHA-256: 64 hexadecimal digits in either case.
func ParseSHA256(s string) (Digest, error) { return ParseDigest(SHA256, s) }

// DigestOf returns what h has computed.
func DigestOf(a Algorithm, h hash.Hash) Digest { return Digest{a, hex.EncodeToString(h.Sum(nil))} }

// String returns "sha256:" and the digits.
func (d Digest) String() string { return d.Algorithm.String() + ":" + d.Hex }
