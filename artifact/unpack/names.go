package unpack

import (
	"errors"
	"fmt"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What a name in an archive may be. Anything longer could be made, but not be named by an
// absolute path any more, or be opened folder by folder.
const (
	maxNameBytes = 255  // of one part, as file systems have it
	maxPathBytes = 2048 // of the whole
	maxDepth     = 128  // parts
)

// cleanName returns a name from an archive as a path that does not lead out: without "." and
// empty parts, and "." for the top folder itself. A backslash is refused: it is a separator
// for those who made the archive, or a trick.
func cleanName(name string) (string, error) {
	if err := checkText(name); err != nil {
		return "", err
	}
	if name[0] == '/' {
		return "", errors.New("its name is absolute")
	}
	parts := 0
	for part := range strings.SplitSeq(name, "/") {
		switch {
		case part == "..":
			return "", errors.New("its name leads out of the archive or through a parent folder (..)")
		case len(part) > maxNameBytes:
			return "", fmt.Errorf("a part of its name is longer than %d bytes", maxNameBytes)
		}
		parts++
	}
	if parts > maxDepth {
		return "", fmt.Errorf("it lies more than %d folders deep", maxDepth)
	}
	return path.Clean(name), nil
}

// cleanTarget checks where a symbolic link at name (a clean one) leads to, as far as the text
// tells; what other links make of it can be seen only when all is unpacked.
func cleanTarget(name, target string) error {
	if err := checkText(target); err != nil {
		return fmt.Errorf("it is a link, and of its target: %w", err)
	}
	if target[0] == '/' {
		return fmt.Errorf("it is a link to the absolute path %q", target)
	}
	if to := path.Join(path.Dir(name), target); to == ".." || strings.HasPrefix(to, "../") {
		return fmt.Errorf("it is a link that leads out of the archive, to %q", target)
	}
	return nil
}

// checkText refuses what neither a name nor a link's target may hold.
func checkText(name string) error {
	switch {
	case name == "":
		return errors.New("its name is empty")
	case len(name) > maxPathBytes:
		return fmt.Errorf("its name is longer than %d bytes", maxPathBytes)
	case !utf8.ValidString(name):
		return errors.New("its name is not UTF-8")
	case strings.ContainsFunc(name, control):
		return errors.New("its name holds a control character")
	case strings.Contains(name, `\`):
		return errors.New("its name holds a backslash")
	}
	return nil
}

// control tells whether a character steers a terminal, the direction of text included.
func control(c rune) bool { return unicode.IsControl(c) || unicode.Is(unicode.Bidi_Control, c) }
