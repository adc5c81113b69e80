package settings

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/quantity"
)

// A kind is how values of one type are written: as text in flags and in the environment,
// as TOML in the file. The two are apart because TOML is taken strictly ("5" is no number).
type kind[T any] struct {
	word     string // what a flag's help calls it
	expected string // how a fault describes it
	fromText func(string) (T, error)
	fromTOML func(any) (T, bool, error) // false: of another type
}

var text = kind[string]{
	word: "string", expected: "a string",
	fromText: func(s string) (string, error) { return s, nil },
	fromTOML: func(v any) (string, bool, error) { s, ok := v.(string); return s, ok, nil },
}

var list = kind[[]string]{
	word: "list", expected: `a list of strings such as ["a", "b"]`,
	fromText: func(s string) ([]string, error) { return split(s), nil },
	fromTOML: func(v any) ([]string, bool, error) {
		items, ok := v.([]any)
		words := make([]string, 0, len(items))
		for _, item := range items {
			word, isString := item.(string)
			ok = ok && isString
			words = append(words, word)
		}
		return words, ok, nil
	},
}

var toggle = kind[bool]{
	word: "bool", expected: "true or false",
	fromText: func(s string) (bool, error) {
		switch s {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return false, fmt.Errorf("%q is neither true nor false", s)
	},
	fromTOML: func(v any) (bool, bool, error) { b, ok := v.(bool); return b, ok, nil },
}

var count = kind[int]{
	word: "number", expected: "a whole number",
	fromText: func(s string) (int, error) {
		n, err := strconv.Atoi(s)
		if err != nil {
			return 0, fmt.Errorf("%q is no whole number", s)
		}
		return n, nil
	},
	fromTOML: func(v any) (int, bool, error) { n, ok := v.(int64); return int(n), ok, nil },
}

var duration = kind[quantity.Duration]{
	word: "duration", expected: `a duration in quotes such as "300ms", "10s" or "5m"`,
	fromText: quantity.ParseDuration,
	fromTOML: func(v any) (quantity.Duration, bool, error) {
		s, ok := v.(string)
		if !ok {
			return 0, false, nil
		}
		d, err := quantity.ParseDuration(s)
		return d, true, err
	},
}

var size = kind[quantity.Size]{
	word: "size", expected: `a size such as "64KiB" or "8GiB", or a number of bytes`,
	fromText: quantity.ParseSize,
	fromTOML: func(v any) (quantity.Size, bool, error) {
		switch v := v.(type) {
		case int64:
			s, err := quantity.ParseSize(strconv.FormatInt(v, 10))
			return s, true, err
		case string:
			s, err := quantity.ParseSize(v)
			return s, true, err
		}
		return 0, false, nil
	},
}

// split reads a comma-separated list; text without anything in it is the empty list.
func split(s string) []string {
	words := []string{}
	if strings.TrimSpace(s) == "" {
		return words
	}
	for word := range strings.SplitSeq(s, ",") {
		words = append(words, strings.TrimSpace(word))
	}
	return words
}

// typeOf names the type of a TOML value, for people.
func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a whole number"
	case float64:
		return "a number with a fraction"
	case bool:
		return "true or false"
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	case time.Time:
		return "a date and time"
	}
	return "a date or a time"
}
