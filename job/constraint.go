package job

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Operator says how an attribute of a node is held against a constraint's value.
type Operator string

// The operators.
const (
	Is      Operator = "="
	IsNot   Operator = "!=" // a node that lacks the attribute passes
	In      Operator = "in"
	Matches Operator = "regexp"  // somewhere in the attribute, unless anchored by ^ and $
	Version Operator = "version" // such as ">= 1.2, < 2"
)

// Constraint says which nodes a job may use.
type Constraint struct {
	Attribute string
	Operator  Operator
	Values    []string // several with In, else one
}

// constraintForm is how a constraint is written: with a list for in, else a text.
type constraintForm struct {
	Attribute string   `json:"attribute"`
	Operator  Operator `json:"operator"`
	Value     any      `json:"value"`
}

// MarshalJSON writes the constraint as Decode reads it.
func (c Constraint) MarshalJSON() ([]byte, error) {
	f := constraintForm{c.Attribute, c.Operator, c.Values}
	if c.Operator != In {
		f.Value = strings.Join(c.Values, "")
	}
	return json.Marshal(f)
}

// UnmarshalJSON reads what was marshalled.
func (c *Constraint) UnmarshalJSON(data []byte) error {
	var f constraintForm
	if err := json.Unmarshal(data, &f); err != nil {
		return err
	}
	list, ok := f.Value.([]any)
	if !ok {
		list = []any{f.Value}
	}
	*c = Constraint{Attribute: f.Attribute, Operator: f.Operator, Values: []string{}}
	for _, v := range list {
		text, ok := v.(string)
		if !ok {
			return fmt.Errorf("the value of the constraint on %s is not a text", f.Attribute)
		}
		c.Values = append(c.Values, text)
	}
	return nil
}

// String writes the constraint for people: label.rack = r1.
func (c Constraint) String() string {
	return c.Attribute + " " + string(c.Operator) + " " + strings.Join(c.Values, ", ")
}

// Compile makes the test that a node must pass: given the attribute's value, and whether the
// node has it at all.
func (c Constraint) Compile() (func(value string, has bool) bool, error) {
	only := strings.Join(c.Values, "")
	switch c.Operator {
	case Is:
		return func(v string, has bool) bool { return has && v == only }, nil
	case IsNot:
		return func(v string, has bool) bool { return !has || v != only }, nil
	case In:
		return func(v string, has bool) bool { return has && slices.Contains(c.Values, v) }, nil
	case Matches:
		form, err := regexp.Compile(only)
		if err != nil {
			return nil, fmt.Errorf("%q is no regular expression: %w", only, err)
		}
		return func(v string, has bool) bool { return has && form.MatchString(v) }, nil
	case Version:
		bounds, err := parseBounds(only)
		if err != nil {
			return nil, err
		}
		return func(v string, has bool) bool { return has && within(v, bounds) }, nil
	}
	return nil, fmt.Errorf("%q is no operator", c.Operator)
}
