// Package fault gives errors a kind, so that the code where an error arises says what
// kind of trouble it is, and only the edges (HTTP, command line) turn kinds into codes.
//
// A fault has a kind, a slug (the stable last word of the problem's type, such as
// "digest-mismatch"), a text for people, and for bad input the fields that are wrong.
// It starts no goroutine and knows nothing of HTTP.
package fault

import (
	"errors"
	"fmt"
	"strings"
)

// Kind says what sort of trouble an error is.
type Kind uint8

// The kinds. The zero value is what an unmarked error has: trouble that nobody foresaw.
const (
	Internal        Kind = iota // a bug, or a failure nobody foresaw
	Malformed                   // the input cannot be read at all: not JSON, not TOML
	Unauthenticated             // no credential, or a wrong one
	Forbidden                   // refused, whoever asks
	NotFound                    // the thing named is not there
	Conflict                    // in use, a duplicate, or owned by somebody else
	Stale                       // the version that the caller knew is not the current one
	TooLarge                    // more than is accepted
	Invalid                     // the input can be read, its content is wrong
	Unsupported                 // reserved for later, or not built yet
	Upstream                    // something that Nodee depends on failed, such as a repository
	Unavailable                 // not ready, or shutting down
	Timeout                     // not done by the deadline
	Full                        // no space left
)

// Retryable tells whether, as a rule, the same request may succeed later without anyone changing it.
func (k Kind) Retryable() bool {
	return k == Upstream || k == Unavailable || k == Timeout || k == Full
}

// Field is one fault in an input.
type Field struct {
	Location string `json:"location"`        // where it is: "body.restart.max", "path.coordinate"
	Message  string `json:"message"`         // what is wrong and what is expected
	Value    any    `json:"value,omitempty"` // what was given; never a secret
}

// Error is an error with a kind. Build one with New, Mark or Fields.
type Error struct {
	kind   Kind
	slug   string
	err    error
	fields []Field
	passes bool // by itself, whatever the kind says
}

// Error returns the text, and behind it every faulty field.
func (e *Error) Error() string {
	if len(e.fields) == 0 {
		return e.err.Error()
	}
	var b strings.Builder
	b.WriteString(e.err.Error())
	for i, f := range e.fields {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		b.WriteString(f.Location + ": " + f.Message)
	}
	return b.String()
}

// Unwrap returns the error that was marked.
func (e *Error) Unwrap() error { return e.err }

// New makes an error of a kind. format may hold %w.
func New(kind Kind, slug, format string, args ...any) error {
	return &Error{kind: kind, slug: slug, err: fmt.Errorf(format, args...)}
}

// Mark gives err a kind and a slug; nil stays nil.
func Mark(kind Kind, slug string, err error) error {
	if err == nil {
		return nil
	}
	return &Error{kind: kind, slug: slug, err: err}
}

// Fields makes an Invalid error out of what is wrong with an input; no fields, no error.
// what says what could not be accepted, such as "the spec of 1.web.borud.fbu cannot be used".
func Fields(what string, fields []Field) error {
	if len(fields) == 0 {
		return nil
	}
	return &Error{kind: Invalid, slug: "invalid", err: errors.New(what), fields: fields}
}

// Passing makes an error of a kind that passes by itself, although such errors do not as a rule:
// the same request may succeed later.
func Passing(kind Kind, slug, format string, args ...any) error {
	return &Error{kind: kind, slug: slug, err: fmt.Errorf(format, args...), passes: true}
}

// RetryableOf tells whether what failed with err may succeed later without anyone changing it.
func RetryableOf(err error) bool {
	e, ok := errors.AsType[*Error](err)
	return ok && (e.passes || e.kind.Retryable())
}

// KindOf returns the kind of the outermost marked error in err's chain, Internal without one.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.kind
	}
	return Internal
}

// SlugOf returns the slug of the outermost marked error in err's chain, "internal" without one.
func SlugOf(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.slug
	}
	return "internal"
}

// FieldsOf returns the faulty fields that err carries.
func FieldsOf(err error) []Field {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.fields
	}
	return nil
}

// Headline returns err's text without its list of fields, for a reader who gets those apart.
func Headline(err error) string {
	if e, ok := errors.AsType[*Error](err); ok && len(e.fields) > 0 {
		return strings.Replace(err.Error(), e.Error(), e.err.Error(), 1)
	}
	return err.Error()
}
