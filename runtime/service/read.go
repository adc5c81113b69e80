package service

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/document"
)

// reserved are the keys of a spec whose meaning is settled, and which are refused until
// they are built.
var reserved = []string{"exclusive"}

var (
	optionForm  = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	envForm     = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	accountForm = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$`)
)

// Read takes a spec out of a table, default by default, as a part of what holds one; its
// faults are left with r.
func Read(r *document.Reader) Spec {
	s, before := defaults(), len(r.Faults())
	readProgram(r, &s)
	r.Texts("args", &s.Args)
	readOptions(r, s.Options)
	readEnv(r, s.Env)
	readAccount(r, "user", &s.User)
	readAccount(r, "group", &s.Group)
	if sub, ok := r.Sub("restart"); ok {
		readRestart(sub, &s.Restart)
	}
	if sub, ok := r.Sub("stop"); ok {
		readStop(sub, &s.Stop)
	}
	if sub, ok := r.Sub("drain"); ok {
		s.Drain = readDrain(sub)
	}
	readPorts(r, s.Ports)
	readFiles(r, &s)
	portsGiven, _ := r.Peek("ports").(map[string]any)
	s.Checks = readChecks(r, portsGiven)
	readNotify(r, &s.Notify)
	readReadyTimeout(r, &s.ReadyTimeout)
	s.DependsOn = readDependsOn(r)
	readBounds(r, &s)
	r.Finish(reserved...)
	if before == len(r.Faults()) {
		checkTemplates(r, s)
	}
	return s
}

// readBounds takes what a service may use, write and leave behind, and what it is worth.
func readBounds(r *document.Reader, s *Spec) {
	if sub, ok := r.Sub("limits"); ok {
		s.Limits = readLimits(sub)
	}
	if sub, ok := r.Sub("access"); ok {
		readAccess(sub, &s.Access)
	}
	if sub, ok := r.Sub("logs"); ok {
		readLogs(sub, &s.Logs)
	}
	readMemory(r, s)
}

func readProgram(r *document.Reader, s *Spec) {
	if r.Text("artifact", &s.Artifact) {
		if ref, err := artifact.ParseRef(s.Artifact); err != nil {
			r.Fault("artifact", s.Artifact, "%v", err)
		} else {
			s.Artifact = ref.String()
		}
	}
	if r.Text("sha256", &s.SHA256) {
		s.SHA256 = strings.ToLower(s.SHA256)
		if b, err := hex.DecodeString(s.SHA256); err != nil || len(b) != 32 {
			r.Fault("sha256", s.SHA256, "must be a SHA-256 digest: 64 hexadecimal digits")
		}
		if !r.Has("artifact") {
			r.Fault("sha256", nil, "there is no artifact that it could be the digest of; add artifact")
		}
	}
	readCommand(r, s, r.Has("artifact"))
}

// readCommand goes by what was written, not by what could be read: a wrong artifact is one fault, not two.
func readCommand(r *document.Reader, s *Spec, inArtifact bool) {
	if !r.Has("command") {
		r.Take("command")
		if inArtifact {
			s.Command = DefaultCommand
		} else {
			r.Fault("command", nil, "is needed where there is no artifact")
		}
		return
	}
	if !r.Text("command", &s.Command) {
		return
	}
	switch {
	case s.Command == "":
		r.Fault("command", nil, "must not be empty")
	case inArtifact && !filepath.IsLocal(s.Command):
		r.Fault("command", s.Command, "must be a path inside the artifact, such as bin/server")
	case !inArtifact && !filepath.IsAbs(s.Command) && strings.Contains(s.Command, "/"):
		r.Fault("command", s.Command, "must be an absolute path, or a plain name that is looked up in PATH, where there is no artifact")
	}
}

func readOptions(r *document.Reader, into map[string]any) {
	sub, ok := r.Sub("options")
	if !ok {
		return
	}
	sub.Each(func(key string, v any) {
		if !optionForm.MatchString(key) {
			sub.Fault(key, nil, "is no name of an option: letters, digits, ., _ and -, without leading dashes")
			return
		}
		if list, ok := v.([]any); ok {
			for i, e := range list {
				if !plain(e) {
					sub.Fault(fmt.Sprintf("%s[%d]", key, i), e, "must be a string or a number, not %s", document.KindOf(e))
				}
			}
			into[key] = list
			return
		}
		if _, ok := v.(bool); !ok && !plain(v) {
			sub.Fault(key, v, "must be true, false, a string, a number or a list of those, not %s", document.KindOf(v))
			return
		}
		into[key] = v
	})
}

func plain(v any) bool {
	switch v := v.(type) {
	case string:
		return !strings.ContainsRune(v, 0)
	case json.Number:
		return true
	}
	return false
}

// readEnv shows no value in its faults: that is where secrets are.
func readEnv(r *document.Reader, into map[string]string) {
	sub, ok := r.Sub("env")
	if !ok {
		return
	}
	sub.Each(func(key string, v any) {
		s, ok := v.(string)
		switch {
		case !envForm.MatchString(key):
			sub.Fault(key, nil, "is no name of a variable: letters, digits and _, not starting with a digit")
		case strings.HasPrefix(key, "NODEE_") || key == "NOTIFY_SOCKET":
			sub.Fault(key, nil, "is set by Nodee itself; choose another name")
		case !ok:
			sub.Fault(key, nil, "must be a string, not %s; put it in quotes", document.KindOf(v))
		case strings.ContainsRune(s, 0):
			sub.Fault(key, nil, "must not hold a NUL character")
		case s == mask:
			sub.Fault(key, nil, "is what a reader without the token is shown; give the value itself")
		default:
			into[key] = s
		}
	})
}

// readAccount takes a user or group, which may be written as a number.
func readAccount(r *document.Reader, key string, into *string) {
	v, ok := r.Take(key)
	if !ok {
		return
	}
	if n, whole := document.AsWhole(v, 0, math.MaxUint32-1); whole {
		*into = fmt.Sprint(n)
		return
	}
	s, ok := v.(string)
	if !ok || !accountForm.MatchString(s) {
		r.Fault(key, v, "must be the name or number of a %s", key)
		return
	}
	*into = s
}

func readRestart(r *document.Reader, p *Restart) {
	policy := string(p.Policy)
	r.OneOf("policy", &policy, string(Always), string(OnFailure), string(Never))
	p.Policy = Policy(policy)
	r.Whole("max", &p.Max, 0, math.MaxInt32)
	r.Duration("window", &p.Window)
	r.Duration("base", &p.Base)
	r.Number("factor", &p.Factor, 1, 1000)
	r.Duration("cap", &p.Cap)
	r.Number("jitter", &p.Jitter, 0, 1)
	r.Duration("reset", &p.Reset)
	r.Wholes("success", &p.Success, 0, 255)
	r.Wholes("retry", &p.Retry, 0, 255)
	r.Wholes("fatal", &p.Fatal, 0, 255)
	r.Finish()
}

func readStop(r *document.Reader, s *Stop) {
	readSignal(r, &s.Signal)
	r.OneOf("to", &s.To, "group", "main")
	r.Duration("grace", &s.Grace)
	r.Finish()
}

func readDrain(r *document.Reader) *Drain {
	d := Drain{Timeout: seconds(defaultDrainTimeout)}
	ways := 0
	for _, given := range []bool{readSignal(r, &d.Signal), r.Texts("exec", &d.Exec), r.Text("http", &d.HTTP)} {
		if given {
			ways++
		}
	}
	r.Duration("timeout", &d.Timeout)
	r.Finish()
	if ways != 1 {
		r.Fault("signal", nil, "exactly one of signal, exec and http is needed, there are %d", ways)
	}
	if d.Exec != nil {
		if len(d.Exec) == 0 || d.Exec[0] == "" {
			r.Fault("exec", nil, "must name a command")
		}
	}
	if d.HTTP != "" {
		u, err := url.Parse(templateSample(d.HTTP))
		if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
			r.Fault("http", nil, `must be a URL such as "http://127.0.0.1:8080/drain"`)
		}
	}
	return &d
}

// readSignal takes the key signal: a name with or without SIG, of any case.
func readSignal(r *document.Reader, into *string) bool {
	var s string
	if !r.Text("signal", &s) {
		return false
	}
	name := strings.TrimPrefix(strings.ToUpper(s), "SIG")
	if unix.SignalNum("SIG"+name) == 0 {
		r.Fault("signal", s, `is no signal; expected a name such as "TERM", "INT" or "USR1"`)
		return true
	}
	*into = name
	return true
}

func readPorts(r *document.Reader, into map[string]int) {
	sub, ok := r.Sub("ports")
	if !ok {
		return
	}
	variables, numbers := map[string]string{}, map[int]string{}
	sub.Each(func(key string, v any) {
		n, ok := document.AsWhole(v, 0, 65535)
		variable := PortVariable(key)
		switch {
		case CheckName(key) != nil:
			sub.Fault(key, nil, "%v", CheckName(key))
		case !ok:
			sub.Fault(key, v, "must be a port from 1 to 65535, or 0 for one that is assigned")
		case variables[variable] != "":
			sub.Fault(key, nil, "%s and %s would both be %s", variables[variable], key, variable)
		case n != 0 && numbers[n] != "":
			sub.Fault(key, n, "%s has that port already", numbers[n])
		default:
			into[key] = n
			variables[variable], numbers[n] = key, key
		}
	})
}

// PortVariable is the environment variable that holds the port of a name.
func PortVariable(name string) string {
	return "NODEE_PORT_" + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// OptionArgs turns options into arguments, sorted by key: "--key value", a bare "--key" for
// true, nothing for false, the flag repeated for a list. render is applied to each string.
func OptionArgs(options map[string]any, render func(where, text string) (string, error)) ([]string, error) {
	var out []string
	keys := make([]string, 0, len(options))
	for key := range options {
		keys = append(keys, key)
	}
	slices.Sort(keys)
	for _, key := range keys {
		values, ok := options[key].([]any)
		if !ok {
			values = []any{options[key]}
		}
		for _, v := range values {
			if b, ok := v.(bool); ok {
				if b {
					out = append(out, "--"+key)
				}
				continue
			}
			text, err := render("options."+key, fmt.Sprint(v))
			if err != nil {
				return nil, err
			}
			out = append(out, "--"+key, text)
		}
	}
	return out, nil
}
