package service

import (
	"cmp"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
)

// Coordinate names one running thing: instance.service.user.cell, such as 1.web.borud.fbu.
// Its last part says whose cell the name belongs to, which need not be the daemon's; its
// user is a name, not the Unix user that the service runs as.
type Coordinate struct {
	Instance int32
	Service  string
	User     string
	Cell     string
}

var nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]{0,62}$`)

// CheckName tells what is wrong with a name; nil means nothing.
func CheckName(s string) error {
	if !nameForm.MatchString(s) {
		return fmt.Errorf("%q is no name: 1 to 63 of a-z, 0-9, _ and -, the first a letter", s)
	}
	return nil
}

// ParseCoordinate reads a coordinate.
func ParseCoordinate(s string) (Coordinate, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 4 {
		return Coordinate{}, fmt.Errorf("%q is no coordinate: expected <instance>.<service>.<user>.<cell>, such as 1.web.borud.fbu", s)
	}
	n, ok := parseInstance(parts[0])
	if !ok {
		return Coordinate{}, fmt.Errorf("%q is no coordinate: its instance %q must be a number from 0 to %d without leading zeros", s, parts[0], math.MaxInt32)
	}
	for i, what := range []string{"service", "user", "cell"} {
		if err := CheckName(parts[i+1]); err != nil {
			return Coordinate{}, fmt.Errorf("%q is no coordinate: its %s: %w", s, what, err)
		}
	}
	return Coordinate{Instance: n, Service: parts[1], User: parts[2], Cell: parts[3]}, nil
}

// parseInstance reads the number of an instance.
func parseInstance(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && n >= 0 && s == strconv.FormatInt(n, 10)
}

// String writes the coordinate.
func (c Coordinate) String() string {
	return strconv.Itoa(int(c.Instance)) + "." + c.Service + "." + c.User + "." + c.Cell
}

// Path is where the coordinate's folder stands below runtime/ and logs/:
// cell/user/service/instance.
func (c Coordinate) Path() string {
	return c.Cell + "/" + c.User + "/" + c.Service + "/" + strconv.Itoa(int(c.Instance))
}

// Compare orders coordinates for people: by cell, user and service, then by number.
func (c Coordinate) Compare(o Coordinate) int {
	return cmp.Or(cmp.Compare(c.Cell, o.Cell), cmp.Compare(c.User, o.User),
		cmp.Compare(c.Service, o.Service), cmp.Compare(c.Instance, o.Instance))
}

// MarshalText writes the coordinate.
func (c Coordinate) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// UnmarshalText reads a coordinate.
func (c *Coordinate) UnmarshalText(b []byte) (err error) {
	*c, err = ParseCoordinate(string(b))
	return err
}
