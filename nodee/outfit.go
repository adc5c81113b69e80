package nodee

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/cloudname/nodee/runtime/rundir"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/runtime/supervise"
)

// What every service's environment begins with; nothing of the daemon's own is passed on.
const (
	servicePath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	serviceLang = "C.UTF-8"
)

// outfitter makes what a start needs out of a spec, on this host.
type outfitter struct{ a *Agent }

// Compose works out the command, its environment and its drain step, and touches nothing.
func (o outfitter) Compose(j supervise.Job) (supervise.Outfit, error) {
	out, _, err := o.compose(j)
	return out, err
}

// compose gives what was rendered on the way, too.
func (o outfitter) compose(j supervise.Job) (out supervise.Outfit, r service.Rendered, err error) {
	c, err := service.ParseCoordinate(j.Name)
	if err != nil {
		return out, r, supervise.Final(err)
	}
	who, err := accountOf(j.Spec)
	if err != nil {
		return out, r, supervise.Final(err)
	}
	vars := service.Vars{
		Coordinate: j.Name, Instance: c.Instance, Service: c.Service, User: c.User, Cell: c.Cell,
		RuntimeDir: o.a.runtimeDir(c), SoftwareDir: j.Software, Ports: j.Ports,
	}
	vars.Node.Name = o.a.cfg.Settings.Node.Name
	vars.Env = baseEnv(vars, who, j.Generation)
	if r, err = j.Spec.Render(vars); err != nil {
		return out, r, supervise.Final(err)
	}
	base := supervise.Launch{
		Env: list(r.Env), Dir: vars.RuntimeDir, As: who.as, Limits: j.Spec.Limits,
		Stdout: filepath.Join(o.a.logDir(c), "stdout.log"), Stderr: filepath.Join(o.a.logDir(c), "stderr.log"),
		Access: accessOf(j.Spec.Access),
	}
	if out, err = dress(base, j, r); err != nil {
		return out, r, supervise.Final(err)
	}
	out.Note = o.a.launcher.Features().Limits.Note(j.Spec.Limits)
	return out, r, nil
}

// dress gives base its command, and the same base the command of the drain step, if that is one.
func dress(base supervise.Launch, j supervise.Job, r service.Rendered) (supervise.Outfit, error) {
	command := j.Spec.Command
	if j.Software != "" {
		command = "./" + command // inside the artifact, also where it is a plain name
	}
	out := supervise.Outfit{Launch: base, Drain: r.Drain}
	var err error
	if out.Launch.Path, err = program(command, j.Software, r.Env["PATH"]); err != nil {
		return out, err
	}
	out.Launch.Args = append([]string{out.Launch.Path}, r.Args...)
	if err = dressChecks(&out, base, j, r); err != nil {
		return out, err
	}
	if len(r.Drain.Exec) == 0 {
		return out, nil
	}
	drain := base
	drain.Args = r.Drain.Exec
	if drain.Path, err = program(r.Drain.Exec[0], j.Software, r.Env["PATH"]); err != nil {
		return out, fmt.Errorf("the drain step: %w", err)
	}
	out.DrainExec = &drain
	return out, nil
}

// dressChecks gives each check of type exec its command. What such a check writes is nobody's
// log: it is run again and again, and its exit code says all.
func dressChecks(out *supervise.Outfit, base supervise.Launch, j supervise.Job, r service.Rendered) (err error) {
	out.Checks = r.Checks
	base.Stdout, base.Stderr = "", ""
	for _, c := range r.Checks {
		if c.Type != service.CheckExec {
			continue
		}
		helper := base
		helper.Args = c.Command
		if helper.Path, err = program(c.Command[0], j.Software, r.Env["PATH"]); err != nil {
			return fmt.Errorf("the check %s: %w", c.Name, err)
		}
		if out.CheckExec == nil {
			out.CheckExec = map[string]supervise.Launch{}
		}
		out.CheckExec[c.Name] = helper
	}
	return nil
}

// Prepare composes, looks whether the ports are free, makes the service's folders, and fills
// its runtime directory.
func (o outfitter) Prepare(ctx context.Context, j supervise.Job) (supervise.Outfit, error) {
	out, r, err := o.compose(j)
	if err != nil {
		return out, err
	}
	c, err := service.ParseCoordinate(j.Name)
	if err != nil {
		return out, supervise.Final(err)
	}
	if err := o.a.portsFree(j.Ports); err != nil {
		return out, err
	}
	owner := rundir.Owner{UID: os.Geteuid(), GID: os.Getegid()}
	if as := out.Launch.As; as != nil {
		owner = rundir.Owner{UID: int(as.UID), GID: int(as.GID)}
	}
	if err := rundir.Prepare(o.a.dirs, c.Path(), owner); err != nil {
		return out, err
	}
	if err := o.a.fill(ctx, c, j, r, owner); err != nil {
		return out, err
	}
	o.a.logs.Prepare(ctx, o.a.logDir(c)) // last: its files are looked for only so long
	return out, nil
}

// baseEnv is what every service finds in its environment.
func baseEnv(v service.Vars, who account, generation int64) map[string]string {
	env := map[string]string{
		"PATH": servicePath, "LANG": serviceLang, "HOME": v.RuntimeDir, "TMPDIR": filepath.Join(v.RuntimeDir, "tmp"),
		"USER": who.name, "LOGNAME": who.name,
		"NODEE_COORDINATE": v.Coordinate, "NODEE_RUNTIME_DIR": v.RuntimeDir, "NODEE_SOFTWARE_DIR": v.SoftwareDir,
		"NODEE_NODE": v.Node.Name, "NODEE_GENERATION": strconv.FormatInt(generation, 10),
	}
	for name, port := range v.Ports {
		env[service.PortVariable(name)] = strconv.Itoa(port)
	}
	return env
}

func list(env map[string]string) []string {
	out := make([]string, 0, len(env))
	for _, key := range slices.Sorted(maps.Keys(env)) {
		out = append(out, key+"="+env[key])
	}
	return out
}

// program finds what a command names: an absolute path as it is, a path with a slash inside
// the artifact, a plain name in the service's own PATH.
func program(command, software, path string) (string, error) {
	switch {
	case filepath.IsAbs(command):
		return command, executable(command, command)
	case strings.Contains(command, "/"):
		if software == "" {
			return "", fmt.Errorf("%s is a path inside an artifact, and the service has none", command)
		}
		full := filepath.Join(software, command)
		return full, executable(full, strings.TrimPrefix(command, "./")+" in the artifact "+software)
	}
	for _, dir := range filepath.SplitList(path) {
		if full := filepath.Join(dir, command); filepath.IsAbs(dir) && executable(full, full) == nil {
			return full, nil
		}
	}
	return "", fmt.Errorf("there is no program %s in the service's PATH %s", command, path)
}

func executable(file, what string) error {
	info, err := os.Stat(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no %s", what)
	case err != nil:
		return err
	case info.IsDir():
		return fmt.Errorf("%s is a folder, not a program", what)
	case info.Mode().Perm()&0o111 == 0:
		return fmt.Errorf("%s is not executable", what)
	}
	return nil
}

func (a *Agent) runtimeDir(c service.Coordinate) string {
	return filepath.Join(a.dirs.Runtime, filepath.FromSlash(c.Path()))
}

func (a *Agent) logDir(c service.Coordinate) string {
	return filepath.Join(a.dirs.Logs, filepath.FromSlash(c.Path()))
}
