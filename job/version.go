package job

import (
	"cmp"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// bound is one part of a version constraint: ">= 1.2".
type bound struct {
	operator string
	version  []string
}

var (
	boundForm   = regexp.MustCompile(`^(>=|<=|!=|=|>|<)?\s*([0-9][A-Za-z0-9.+-]*)$`)
	versionPart = regexp.MustCompile(`[0-9]+|[A-Za-z]+`)
	versionForm = regexp.MustCompile(`^v?[0-9]`)
)

// parseBounds reads bounds that are parted by commas; all must hold.
func parseBounds(text string) ([]bound, error) {
	var out []bound
	for part := range strings.SplitSeq(text, ",") {
		m := boundForm.FindStringSubmatch(strings.TrimSpace(part))
		if m == nil {
			return nil, fmt.Errorf(`%q is no range of versions, expected one such as ">= 1.2, < 2"`, text)
		}
		out = append(out, bound{operator: cmp.Or(m[1], "="), version: versionPart.FindAllString(m[2], -1)})
	}
	return out, nil
}

// within tells whether a version, such as a kernel's "6.18.5-generic", is within all bounds.
func within(version string, bounds []bound) bool {
	if !versionForm.MatchString(version) {
		return false
	}
	parts := versionPart.FindAllString(strings.TrimPrefix(version, "v"), -1)
	for _, b := range bounds {
		c := compareVersions(parts, b.version)
		holds := map[string]bool{"=": c == 0, "!=": c != 0, "<": c < 0, "<=": c <= 0, ">": c > 0, ">=": c >= 0}
		if !holds[b.operator] {
			return false
		}
	}
	return true
}

// compareVersions goes part by part: numbers by size, words by letters, and a word (rc, beta)
// before a number or nothing, since it is what comes before a release. Missing numbers are 0.
func compareVersions(a, b []string) int {
	for i := range max(len(a), len(b)) {
		if c := comparePart(partOf(a, i), partOf(b, i)); c != 0 {
			return c
		}
	}
	return 0
}

func partOf(parts []string, i int) string {
	if i < len(parts) {
		return parts[i]
	}
	return "0"
}

func comparePart(a, b string) int {
	x, errX := strconv.ParseUint(a, 10, 64)
	y, errY := strconv.ParseUint(b, 10, 64)
	switch {
	case errX == nil && errY == nil:
		return cmp.Compare(x, y)
	case errX == nil:
		return 1
	case errY == nil:
		return -1
	}
	return cmp.Compare(a, b)
}
