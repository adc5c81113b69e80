package service

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Pick says which instances of a service an expression asks for.
type Pick string

// The picks.
const (
	PickAll Pick = "all" // each of them
	PickAny Pick = "any" // one of them, whichever
	PickOne Pick = "one" // the one with the number
)

// Expression asks where services are reached:
// [<endpoint>.](<instance>|all|any).<service>.<user>.<cell>, such as http.any.web.borud.fbu.
type Expression struct {
	Endpoint string // "": every endpoint of an instance
	Pick     Pick
	Instance int32 // of PickOne
	Service  string
	User     string
	Cell     string
}

// ParseExpression reads an expression.
func ParseExpression(s string) (Expression, error) {
	wrong := func(format string, args ...any) (Expression, error) {
		return Expression{}, fmt.Errorf("%q is no expression: %w", s, fmt.Errorf(format, args...))
	}
	parts := strings.Split(s, ".")
	var e Expression
	switch len(parts) {
	case 4:
	case 5:
		if err := CheckName(parts[0]); err != nil {
			return wrong("its endpoint: %w", err)
		}
		e.Endpoint, parts = parts[0], parts[1:]
	default:
		return wrong("expected [<endpoint>.]<instance>.<service>.<user>.<cell>, with all or any in the place of a number, such as http.any.web.borud.fbu")
	}
	e.Pick = Pick(parts[0])
	if e.Pick != PickAll && e.Pick != PickAny {
		e.Pick = PickOne
		var ok bool
		if e.Instance, ok = parseInstance(parts[0]); !ok {
			return wrong("its instance %q must be all, any, or a number from 0 to %d without leading zeros", parts[0], math.MaxInt32)
		}
	}
	for i, what := range []string{"service", "user", "cell"} {
		if err := CheckName(parts[i+1]); err != nil {
			return wrong("its %s: %w", what, err)
		}
	}
	e.Service, e.User, e.Cell = parts[1], parts[2], parts[3]
	return e, nil
}

// String writes the expression.
func (e Expression) String() string {
	pick := string(e.Pick)
	if e.Pick == PickOne {
		pick = strconv.Itoa(int(e.Instance))
	}
	s := pick + "." + e.Service + "." + e.User + "." + e.Cell
	if e.Endpoint != "" {
		s = e.Endpoint + "." + s
	}
	return s
}

// Of returns the coordinate of an instance of the service that the expression is about.
func (e Expression) Of(instance int32) Coordinate {
	return Coordinate{Instance: instance, Service: e.Service, User: e.User, Cell: e.Cell}
}

// Covers tells whether c may be among what the expression asks for.
func (e Expression) Covers(c Coordinate) bool {
	return c == e.Of(c.Instance) && (e.Pick != PickOne || c.Instance == e.Instance)
}

// MarshalText writes the expression.
func (e Expression) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads an expression.
func (e *Expression) UnmarshalText(b []byte) (err error) {
	*e, err = ParseExpression(string(b))
	return err
}
