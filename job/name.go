package job

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/cloudname/nodee/runtime/service"
)

// Name names a job: service.user.cell, such as web.borud.fbu. Its instances are the
// coordinates 0.web.borud.fbu and up.
type Name struct {
	Service string
	User    string
	Cell    string
}

// ParseName reads the name of a job.
func ParseName(s string) (Name, error) {
	parts := strings.Split(s, ".")
	if len(parts) != 3 {
		return Name{}, fmt.Errorf("%q is no name of a job: expected <service>.<user>.<cell>, such as web.borud.fbu", s)
	}
	for i, what := range []string{"service", "user", "cell"} {
		if err := service.CheckName(parts[i]); err != nil {
			return Name{}, fmt.Errorf("%q is no name of a job: its %s: %w", s, what, err)
		}
	}
	return Name{Service: parts[0], User: parts[1], Cell: parts[2]}, nil
}

// NameOf returns the name of the job that a coordinate would be an instance of.
func NameOf(c service.Coordinate) Name { return Name{Service: c.Service, User: c.User, Cell: c.Cell} }

// Instance returns the coordinate of an instance.
func (n Name) Instance(number int32) service.Coordinate {
	return service.Coordinate{Instance: number, Service: n.Service, User: n.User, Cell: n.Cell}
}

// String writes the name.
func (n Name) String() string { return n.Service + "." + n.User + "." + n.Cell }

// Compare orders names as the coordinates of their instances are ordered.
func (n Name) Compare(o Name) int {
	return cmp.Or(cmp.Compare(n.Cell, o.Cell), cmp.Compare(n.User, o.User), cmp.Compare(n.Service, o.Service))
}

// MarshalText writes the name.
func (n Name) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads a name.
func (n *Name) UnmarshalText(b []byte) (err error) {
	*n, err = ParseName(string(b))
	return err
}
