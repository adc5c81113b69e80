package service

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/quantity"
)

// CheckType says how a service is asked.
type CheckType string

// The types of checks.
const (
	CheckHTTP CheckType = "http" // GET http://127.0.0.1:Port/Path is answered with 2xx
	CheckTCP  CheckType = "tcp"  // 127.0.0.1:Port takes a connection
	CheckExec CheckType = "exec" // Command, run like the service, ends with 0
)

// CheckRole says what follows on the results.
type CheckRole string

// The roles of checks.
const (
	RoleStartup   CheckRole = "startup"   // the service is starting until it has passed; then it is asked no more
	RoleReadiness CheckRole = "readiness" // whether the service is healthy: found by those who look for it
	RoleLiveness  CheckRole = "liveness"  // a service that fails it is restarted
)

// Check is one question that a service is asked again and again.
type Check struct {
	Name     string            `json:"name"`
	Type     CheckType         `json:"type"`
	Role     CheckRole         `json:"role"`
	Port     any               `json:"port,omitempty"` // of http and tcp: one of the spec's names, or a json.Number
	Path     string            `json:"path,omitempty"` // of http
	Command  []string          `json:"command,omitempty"`
	Interval quantity.Duration `json:"interval"` // from the beginning of one try to that of the next
	Timeout  quantity.Duration `json:"timeout"`  // of one try
	Rise     int               `json:"rise"`     // how many tries in a row must pass
	Fall     int               `json:"fall"`     // how many in a row must fail
}

// PortNumber is the port that is asked, given those of the service.
func (c Check) PortNumber(ports map[string]int) int {
	if name, ok := c.Port.(string); ok {
		return ports[name]
	}
	n, _ := document.AsWhole(c.Port, 1, 65535)
	return n
}

// DefaultReadyTimeout is how long a service may take to become ready where its spec does not say.
const DefaultReadyTimeout = quantity.Duration(time.Minute)

// shortestInterval keeps a slip of the pen from being a load.
const shortestInterval = 10 * time.Millisecond

// readChecks reads the key checks. portsGiven are those of the spec, as they were written: a
// wrong port is one fault, not two.
func readChecks(r *document.Reader, portsGiven map[string]any) []Check {
	out := []Check{}
	names := map[string]bool{}
	for _, sub := range r.Tables("checks") {
		c := readCheck(sub, portsGiven)
		if c.Name != "" && names[c.Name] {
			sub.Fault("name", c.Name, "is the name of another check already")
		}
		names[c.Name] = true
		out = append(out, c)
	}
	return out
}

func readCheck(r *document.Reader, portsGiven map[string]any) Check {
	c := Check{Interval: seconds(10), Timeout: seconds(2), Rise: 1, Fall: 3}
	switch given := r.Text("name", &c.Name); {
	case !given && !r.Has("name"):
		r.Fault("name", nil, "is needed")
	case given && CheckName(c.Name) != nil:
		r.Fault("name", c.Name, "%v", CheckName(c.Name))
	}
	c.Type = CheckType(r.Choice("type", string(CheckHTTP), string(CheckTCP), string(CheckExec)))
	c.Role = CheckRole(r.Choice("role", string(RoleStartup), string(RoleReadiness), string(RoleLiveness)))
	readCheckTarget(r, &c, portsGiven)
	r.Duration("interval", &c.Interval)
	if c.Interval.Std() < shortestInterval {
		r.Fault("interval", c.Interval.String(), "must be at least %s", shortestInterval)
	}
	r.Duration("timeout", &c.Timeout)
	if c.Timeout <= 0 {
		r.Fault("timeout", c.Timeout.String(), "must be more than 0s")
	}
	r.Whole("rise", &c.Rise, 1, math.MaxInt32)
	r.Whole("fall", &c.Fall, 1, math.MaxInt32)
	r.Finish()
	return c
}

// readCheckTarget reads what is asked: port and path, or command. What another type would
// need is a fault, as it would be passed over.
func readCheckTarget(r *document.Reader, c *Check, portsGiven map[string]any) {
	readCheckPort(r, c, portsGiven)
	pathGiven, commandGiven := r.Text("path", &c.Path), r.Texts("command", &c.Command)
	switch c.Type {
	case "":
		return // wrong already, and nobody can tell what else it needs
	case CheckExec:
		if len(c.Command) == 0 || c.Command[0] == "" {
			r.Fault("command", nil, "is needed: a list, the program first")
		}
	default:
		if !r.Has("port") {
			r.Fault("port", nil, "is needed: the name of one of the service's ports, or a number")
		}
		if commandGiven {
			r.Fault("command", nil, "is for checks of type exec")
		}
	}
	if c.Type == CheckExec && r.Has("port") {
		r.Fault("port", nil, "is for checks of type http and tcp")
	}
	if c.Type != CheckHTTP {
		if pathGiven {
			r.Fault("path", nil, "is for checks of type http")
		}
		return
	}
	if !pathGiven {
		c.Path = "/"
	}
	if sample := templateSample(c.Path); !strings.HasPrefix(sample, "/") || strings.ContainsAny(sample, " \t\r\n") || badURL(sample) {
		r.Fault("path", c.Path, `must be the path of a URL, such as "/healthz"`)
	}
}

func badURL(path string) bool {
	_, err := url.Parse("http://127.0.0.1" + path)
	return err != nil
}

// readCheckPort reads a port, which may be written as a number in quotes, too.
func readCheckPort(r *document.Reader, c *Check, portsGiven map[string]any) {
	v, ok := r.Take("port")
	if !ok {
		return
	}
	name, named := v.(string)
	if named {
		if _, known := portsGiven[name]; known {
			c.Port = name
			return
		}
		if CheckName(name) == nil {
			r.Fault("port", name, "the service has no port of that name; add it to ports")
			return
		}
		v = json.Number(name)
	}
	n, ok := document.AsWhole(v, 1, 65535)
	if !ok {
		r.Fault("port", v, "must be the name of one of the service's ports, or a number from 1 to 65535")
		return
	}
	c.Port = json.Number(fmt.Sprint(n))
}

// render fills in the templates of a check.
func (c Check) render(at string, one func(where, text string) string) Check {
	c.Path = one(at+".path", c.Path)
	c.Command = slices.Clone(c.Command)
	for i, text := range c.Command {
		c.Command[i] = one(fmt.Sprintf("%s.command[%d]", at, i), text)
	}
	return c
}

// readReadyTimeout reads how long a service may take to become ready.
func readReadyTimeout(r *document.Reader, into *quantity.Duration) {
	r.Duration("ready_timeout", into)
	if *into <= 0 {
		r.Fault("ready_timeout", into.String(), "must be more than 0s")
	}
}

// Awaits tells whether a start of the service has to become ready after its process runs.
func (s Spec) Awaits() bool {
	return s.Notify.Ready || slices.ContainsFunc(s.Checks, func(c Check) bool { return c.Role == RoleStartup })
}
