package service

import (
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/fault"
)

// Format is a way to write a spec. The keys are the same in all of them.
type Format = document.Format

// The formats of a spec.
const (
	JSON = document.JSON
	TOML = document.TOML
	YAML = document.YAML
)

// Decode reads a spec, fills in the defaults and checks all that can be checked without
// looking at a host. The error is fault.Malformed when data is not of the format at all;
// otherwise fault.Invalid with every fault, each location behind prefix ("body.").
func Decode(data []byte, format Format, prefix string) (Spec, error) {
	table, err := document.Parse(data, format, "the spec")
	if err != nil {
		return Spec{}, err
	}
	r := document.NewReader(prefix, table)
	s := Read(r)
	if err := fault.Fields("the spec cannot be used", r.Faults()); err != nil {
		return Spec{}, err
	}
	return s, nil
}
