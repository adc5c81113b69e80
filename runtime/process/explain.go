package process

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/runtime/supervise"
)

// finalError is a start that will fail the same way again.
type finalError struct {
	text  string
	cause error
}

func (e *finalError) Error() string { return e.text }

func (e *finalError) Unwrap() []error { return []error{supervise.ErrFinal, e.cause} }

// final are the errors of fork and exec that do not go away by themselves.
var final = map[error]string{
	unix.ENOENT:       "there is no such file",
	unix.EACCES:       "it is not executable, or a folder on the way to it may not be entered",
	unix.ENOEXEC:      "it is no program: neither a binary for this machine nor a script that begins with #!",
	unix.ENOTDIR:      "a part of the path is no folder",
	unix.EISDIR:       "it is a folder",
	unix.E2BIG:        "arguments and environment are too long",
	unix.ELOOP:        "too many links lead to it, or to its interpreter",
	unix.ENAMETOOLONG: "the name is too long",
	unix.EINVAL:       "an argument or variable holds a zero byte, or the binary is damaged",
	unix.ELIBBAD:      "its interpreter is damaged",
	unix.EPERM:        "the daemon may not",
}

// explain says what was wrong with a launch that failed in fork or exec, in which the kernel
// tells no more than a number.
func explain(err error, l supervise.Launch) error {
	why, ok := "", false
	for e, text := range final {
		if errors.Is(err, e) {
			why, ok = text, true
		}
	}
	if !ok {
		return fmt.Errorf("cannot run %s: %w", l.Path, err)
	}
	// Access is checked as the daemon: what it may and the account may not is EACCES.
	switch info, dirErr := os.Stat(l.Dir); {
	case l.As != nil && errors.Is(err, unix.EPERM):
		why = fmt.Sprintf("the daemon may not run it as user %d: only root may", l.As.UID)
	case l.As != nil && errors.Is(err, unix.EACCES):
		why = fmt.Sprintf("user %d may not execute it, or not enter a folder on the way to it or to its working directory %s", l.As.UID, l.Dir)
	case dirErr != nil:
		why = fmt.Sprintf("its working directory cannot be used: %v", dirErr)
	case !info.IsDir():
		why = fmt.Sprintf("its working directory %s is no folder", l.Dir)
	default:
		if interp := interpreter(l.Path); interp != "" {
			if _, e := os.Stat(interp); e != nil {
				why = fmt.Sprintf("its interpreter, named in its first line, cannot be used: %v", e)
			}
		}
	}
	return &finalError{fmt.Sprintf("cannot run %s: %s", l.Path, why), err}
}

// interpreter returns what the #! line of a script names, empty for anything else.
func interpreter(path string) string {
	// A fifo would block the open.
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	line, _ := bufio.NewReaderSize(f, 256).ReadSlice('\n')
	rest, ok := strings.CutPrefix(string(line), "#!")
	if fields := strings.Fields(rest); ok && len(fields) > 0 {
		return fields[0]
	}
	return ""
}
