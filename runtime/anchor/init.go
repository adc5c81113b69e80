package anchor

import "os"

// variable is how a process of this program is told what it is. It is taken out of the
// environment at once, so that nothing that is started inherits it.
const variable = "NODEE_ANCHOR"

// command is the first argument of a process that is an anchor; no flag may stand before it.
const command = "agent"

var mark Mark // what this process was told

func init() {
	value := os.Getenv(variable)
	_ = os.Unsetenv(variable) // it fails for no name but an empty one
	m, isDaemon := parseMark(value)
	switch {
	case isDaemon:
		mark = m
	case len(os.Args) > 1 && os.Args[1] == command:
		os.Exit(newAnchor().run())
	}
}
