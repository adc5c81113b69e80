// Package layers checks that the code stands where the house has room for it: that imports
// only point down, that goroutines are started in one place, that packages say what they
// are for, and that files and functions stay small.
//
// It reads the files itself, with go/parser: a check that asks the go command is cached
// although the files have changed. It starts no goroutine, and it does not judge tests,
// which may import what they drive, but for the length of their files.
package layers

// A Layer is a set of packages that stand on the same ground.
type Layer struct {
	Name   string
	Rooms  []string // paths below the module; "test/..." is all that is below test
	On     []string // the layers that it may import; they stand before it in the house
	Inside bool     // its packages may import each other
	Shuns  []string // packages of others that it must not import
}

// Never is an import that layers alone would allow.
type Never struct {
	From, To, Why string // From and what is below it never imports To and what is below it
}

// House is what Check holds the code against.
type House struct {
	Module   string
	Layers   []Layer // from the ground up
	Nevers   []Never
	Starters map[string]string // packages that may start goroutines, and why
	Overruns map[string]string // what may be longer than the budget, and why: see budget.go
}

// Nodee is the house of this module. A new package goes into the lowest layer that has
// all that it needs.
var Nodee = House{
	Module: "github.com/cloudname/nodee",
	Layers: []Layer{
		{Name: "anchor", Rooms: []string{"runtime/anchor"}, // first of all: see its doc
			Shuns: []string{"fmt", "context", "strconv", "strings", "sync", "errors"}},
		{Name: "words", Rooms: []string{"internal/fault", "internal/quantity", "etc"}},
		{Name: "document", Rooms: []string{"internal/document"},
			On: []string{"words"}},
		{Name: "vocabulary", Rooms: []string{"artifact", "runtime/service", "job"},
			On: []string{"words", "document"}, Inside: true,
			Shuns: []string{"os", "os/exec", "net", "net/http", "syscall"}},
		{Name: "tools", Rooms: []string{"internal/group", "internal/publish", "internal/change", "internal/caller", "internal/httpget", "internal/sockets", "artifact/unpack"},
			On: []string{"words"}},
		{Name: "prefix", Rooms: []string{"internal/prefix"},
			On: []string{"words", "tools"}},
		{Name: "unpack tests", Rooms: []string{"artifact/unpack/unpacktest"}},
		{Name: "line", Rooms: []string{"runtime/anchor/line"},
			On: []string{"anchor", "tools"}},
		{Name: "settings", Rooms: []string{"internal/settings"},
			On: []string{"words", "document"}},
		{Name: "edge", Rooms: []string{"internal/edge"},
			On: []string{"words", "tools"}},
		{Name: "keeper", Rooms: []string{"internal/keeper", "internal/keeper/memory", "internal/keeper/elect"},
			On: []string{"words", "tools"}, Inside: true},
		{Name: "keeper tests", Rooms: []string{"internal/keeper/keepertest"},
			On: []string{"words", "tools", "keeper"}},
		{Name: "artifacts", Rooms: []string{"artifact/tree", "artifact/fetch"},
			On: []string{"words", "vocabulary", "tools"}, Inside: true},
		{Name: "runtime", Rooms: []string{"runtime/supervise", "runtime/process", "runtime/cgroup", "runtime/confine", "runtime/check", "runtime/notify",
			"runtime/output", "runtime/guard", "runtime/ports", "runtime/rundir", "runtime/rundir/source"},
			On: []string{"words", "vocabulary", "tools"}, Inside: true},
		{Name: "launcher tests", Rooms: []string{"runtime/supervise/launchertest"},
			On: []string{"words", "vocabulary", "tools", "runtime"}},
		{Name: "api", Rooms: []string{"api"},
			On: []string{"words", "vocabulary"}},
		{Name: "cell", Rooms: []string{"zkschema"},
			On: []string{"words", "document", "vocabulary", "api"}},
		{Name: "client", Rooms: []string{"api/client"},
			On: []string{"words", "vocabulary", "tools", "api"}},
		{Name: "placement", Rooms: []string{"coordinator/place"},
			On:    []string{"words", "vocabulary"},
			Shuns: []string{"os", "os/exec", "net", "net/http", "syscall", "math/rand", "math/rand/v2", "time"}},
		{Name: "discovery face", Rooms: []string{"internal/discovery/face"},
			On: []string{"words", "vocabulary", "edge", "api"}},
		{Name: "rollout", Rooms: []string{"coordinator/rollout"},
			On:    []string{"words", "vocabulary"},
			Shuns: []string{"os", "os/exec", "net", "net/http", "syscall", "math/rand", "math/rand/v2"}},
		{Name: "plan", Rooms: []string{"coordinator/plan"},
			On:    []string{"words", "vocabulary", "cell", "placement", "rollout"},
			Shuns: []string{"os", "os/exec", "net", "net/http", "syscall", "math/rand", "math/rand/v2"}},
		{Name: "node store", Rooms: []string{"nodee/store"},
			On: []string{"words", "vocabulary", "tools", "runtime"}},
		{Name: "node face", Rooms: []string{"nodee/rest"},
			On:    []string{"words", "vocabulary", "tools", "edge", "runtime", "api", "discovery face"}, // of runtime, output: how logs are read
			Shuns: []string{"github.com/cloudname/nodee/runtime/supervise", "github.com/cloudname/nodee/runtime/process"}},
		{Name: "reasons", Rooms: []string{"nodee/why"},
			On: []string{"words", "vocabulary", "api"}},
		{Name: "presence", Rooms: []string{"nodee/presence"},
			On: []string{"words", "vocabulary", "tools", "keeper", "cell"}},
		{Name: "mirror", Rooms: []string{"coordinator/mirror"},
			On: []string{"words", "vocabulary", "tools", "keeper", "cell"}},
		{Name: "assignment", Rooms: []string{"nodee/assign"},
			On: []string{"words", "vocabulary", "tools", "keeper", "cell"}},
		{Name: "discovery", Rooms: []string{"internal/discovery"},
			On: []string{"words", "vocabulary", "tools", "keeper", "api", "cell"}},
		{Name: "jobs", Rooms: []string{"coordinator/jobs"},
			On: []string{"words", "document", "vocabulary", "tools", "keeper", "cell"}},
		{Name: "cell history", Rooms: []string{"coordinator/history"},
			On: []string{"words", "vocabulary", "tools", "api", "cell", "mirror"}},
		{Name: "writing", Rooms: []string{"coordinator/apply"},
			On: []string{"words", "document", "vocabulary", "tools", "keeper", "cell", "mirror", "plan", "jobs"}},
		{Name: "coordinator face", Rooms: []string{"coordinator/rest"},
			On: []string{"words", "document", "vocabulary", "tools", "edge", "keeper", "api", "discovery face", "cell", "jobs"}},
		{Name: "coordinator face tests", Rooms: []string{"coordinator/rest/resttest"},
			On: []string{"words", "document", "vocabulary", "tools", "edge", "keeper", "api", "discovery face", "cell", "jobs", "coordinator face"}},
		{Name: "coordinator", Rooms: []string{"coordinator"},
			On: []string{"words", "vocabulary", "tools", "prefix", "settings", "edge", "api", "keeper", "cell", "placement", "plan", "discovery", "mirror", "jobs", "writing", "cell history", "coordinator face"}},
		{Name: "face tests", Rooms: []string{"nodee/rest/resttest"},
			On: []string{"words", "vocabulary", "tools", "edge", "runtime", "api", "node face"}},
		{Name: "node", Rooms: []string{"nodee"},
			On: []string{"words", "vocabulary", "tools", "line", "prefix", "settings", "edge", "artifacts", "runtime", "api", "keeper", "cell", "presence", "assignment", "discovery", "node store", "node face", "reasons"}},
		{Name: "lab", Rooms: []string{"lab"},
			On: []string{"words", "vocabulary", "tools", "settings", "artifacts", "runtime", "api", "client", "keeper", "cell", "node store", "node", "coordinator"}},
		{Name: "cli", Rooms: []string{"cli"},
			On: []string{"words", "document", "vocabulary", "tools", "settings", "api", "client"}},
		{Name: "command", Rooms: []string{"cmd/nodee"},
			On: []string{"words", "vocabulary", "tools", "line", "settings", "node", "coordinator", "lab", "cli"}},
		{Name: "tests", Rooms: []string{"test/..."},
			On:     []string{"words", "vocabulary", "tools", "prefix", "settings", "artifacts", "runtime", "api", "client", "node store", "node", "lab", "cli", "document", "keeper", "cell", "jobs"},
			Inside: true},
	},
	Nevers: []Never{
		{"nodee", "coordinator", "the two daemons meet in ZooKeeper only"},
		{"coordinator", "nodee", "the two daemons meet in ZooKeeper only"},
		{"runtime/supervise", "runtime/process", "the supervisor knows launchers by its own interface"},
	},
	Starters: map[string]string{
		"internal/group": "it knows who waits for each",
		"runtime/anchor": "what internal/group needs is too much for it",
	},
	Overruns: map[string]string{
		"runtime/supervise/launcher.go Launcher": "draining a group needs a signal and a helper in it, finding one again needs Find",
	},
}
