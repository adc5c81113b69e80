package zkschema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"

	"github.com/cloudname/nodee/runtime/service"
)

// CloudnameState is how Cloudname tells where a service is.
type CloudnameState string

// The states of Cloudname that Nodee tells.
const (
	CloudnameStarting CloudnameState = "STARTING"
	CloudnameRunning  CloudnameState = "RUNNING" // and healthy
	CloudnameDraining CloudnameState = "DRAINING"
	CloudnameError    CloudnameState = "ERROR"
)

// CloudnameStatus is what Cloudname 2's own library writes and reads: the state, and the
// endpoints by name.
type CloudnameStatus struct {
	State     CloudnameState
	Message   string
	Endpoints map[string]Endpoint
}

// Endpoint is one address of a service, in the words of Cloudname 2.
type Endpoint struct {
	Coordinate CloudnameCoordinate `json:"coordinate"`
	Name       string              `json:"name"`
	Host       string              `json:"host"`
	Port       int                 `json:"port"`
	Protocol   string              `json:"protocol"`
	Data       string              `json:"endpointData"`
}

// CloudnameCoordinate is a coordinate as Cloudname writes it.
type CloudnameCoordinate struct {
	Instance int32  `json:"instance"`
	Service  string `json:"service"`
	User     string `json:"user"`
	Cell     string `json:"cell"`
}

// Endpoints makes the endpoints of a service out of its ports: the protocol is the port's
// name where that is one that Cloudname's users know, else tcp.
func Endpoints(c service.Coordinate, host string, ports map[string]int) map[string]Endpoint {
	out := map[string]Endpoint{}
	for name, port := range ports {
		protocol := "tcp"
		if name == "http" || name == "https" {
			protocol = name
		}
		out[name] = Endpoint{
			Coordinate: CloudnameCoordinate{Instance: c.Instance, Service: c.Service, User: c.User, Cell: c.Cell},
			Name:       name, Host: host, Port: port, Protocol: protocol,
		}
	}
	return out
}

// state is the first of the two values; it is written as a string that holds JSON.
type state struct {
	State   CloudnameState `json:"state"`
	Message string         `json:"message"`
}

// maxMessage is how many characters of a message are written: hundreds of them are in a
// second while services crash.
const maxMessage = 200

// maxStatus is how large a status may be: it shares a request with the record and the report.
const maxStatus = MaxRequest / 4

// Encode writes the status as Cloudname 2 does: two JSON values, one after the other. Where there
// are more endpoints than fit none is written, and the message says so.
func (s CloudnameStatus) Encode() ([]byte, error) {
	data, err := s.encode()
	if err != nil || len(data) <= maxStatus {
		return data, err
	}
	s.Message = fmt.Sprintf("its %d endpoints are more than can be written here", len(s.Endpoints))
	s.Endpoints = nil
	return s.encode()
}

func (s CloudnameStatus) encode() ([]byte, error) {
	inner, err := json.Marshal(state{s.State, cut(s.Message, maxMessage)})
	if err != nil {
		return nil, err
	}
	first, err := json.Marshal(string(inner))
	if err != nil {
		return nil, err
	}
	if s.Endpoints == nil {
		s.Endpoints = map[string]Endpoint{}
	}
	second, err := json.Marshal(s.Endpoints)
	return append(first, second...), err
}

// DecodeCloudname reads a status as Cloudname 2 writes it.
func DecodeCloudname(data []byte) (CloudnameStatus, error) {
	var text string
	var first state
	s := CloudnameStatus{Endpoints: map[string]Endpoint{}}
	d := json.NewDecoder(bytes.NewReader(data))
	err := d.Decode(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &first)
	}
	if err == nil {
		err = d.Decode(&s.Endpoints)
	}
	if err != nil {
		return CloudnameStatus{}, fmt.Errorf("cannot read the status of a service in Cloudname: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return CloudnameStatus{}, fmt.Errorf("cannot read the status of a service in Cloudname: there is more behind its end")
	}
	s.State, s.Message = first.State, first.Message
	return s, nil
}
