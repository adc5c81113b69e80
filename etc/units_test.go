package etc_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/cli"
	"github.com/cloudname/nodee/runtime/cgroup"
)

// unit is a file of systemd's: what each key of each section is set to, in order.
type unit map[string]map[string][]string

func readUnit(t *testing.T, name string) unit {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	u, section := unit{}, ""
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSpace(line)
		switch key, value, ok := strings.Cut(line, "="); {
		case line == "" || line[0] == '#':
		case line[0] == '[' && strings.HasSuffix(line, "]"):
			section = strings.Trim(line, "[]")
			u[section] = map[string][]string{}
		case !ok || section == "":
			t.Errorf("%s: %q is no setting", name, line)
		default:
			u[section][key] = append(u[section][key], value)
		}
	}
	return u
}

func (u unit) is(t *testing.T, section, key, want string) {
	t.Helper()
	if got := strings.Join(u[section][key], "|"); got != want {
		t.Errorf("%s of [%s] is %q, want %q", key, section, got, want)
	}
}

// What services need so that nothing that happens to the daemon's unit happens to them.
func TestServicesOutliveTheUnit(t *testing.T) {
	u := readUnit(t, "nodee.service")
	for key, want := range map[string]string{
		"KillMode": "process", "Delegate": "yes", "TasksMax": "infinity", "ExecStart": "/usr/bin/nodee agent", "RestartPreventExitStatus": "2 4",
		"DelegateSubgroup": cgroup.Leaf, // where the daemon would go by itself
	} {
		u.is(t, "Service", key, want)
	}
}

// A coordinator is beside the agent, not under it: neither's end is the other's.
func TestTheCoordinatorStandsAlone(t *testing.T) {
	u := readUnit(t, "nodee-coordinator.service")
	for key, want := range map[string]string{
		"Type": "notify", "ExecStart": "/usr/bin/nodee coordinator", "Restart": "always", "RestartPreventExitStatus": "2 4", "EnvironmentFile": "-/etc/default/nodee",
	} {
		u.is(t, "Service", key, want)
	}
	for key, values := range u["Unit"] {
		if strings.Contains(strings.Join(values, " "), "nodee.service") {
			t.Errorf("%s ties it to nodee.service", key)
		}
	}
}

// Only the host's shutdown stops the unit that drains, and the daemon is there then.
func TestTheDrainIsBoundToTheShutdown(t *testing.T) {
	u := readUnit(t, "nodee-drain.service")
	if after := strings.Fields(strings.Join(u["Unit"]["After"], " ")); !slices.Contains(after, "nodee.service") {
		t.Errorf("it is stopped after the daemon: After=%q", after)
	}
	for key, values := range u["Unit"] {
		if key != "After" && strings.Contains(strings.Join(values, " "), "nodee.service") {
			t.Errorf("%s ties it to nodee.service, so that a restart of that drains the host", key)
		}
	}
	u.is(t, "Unit", "RefuseManualStop", "yes")
	u.is(t, "Service", "Type", "oneshot")
	u.is(t, "Service", "RemainAfterExit", "yes")
	if u["Unit"]["DefaultDependencies"] != nil {
		t.Error("what stops it at the shutdown is a default dependency")
	}
	limit, err := time.ParseDuration(strings.Replace(u["Service"]["TimeoutStopSec"][0], "min", "m", 1))
	if err != nil {
		t.Fatal(err)
	}
	words := command(t, u["Service"]["ExecStop"][0])
	given, err := time.ParseDuration(words[slices.Index(words, "--timeout")+1])
	if err != nil || given >= limit {
		t.Errorf("the drain may take %s, %v; systemd waits for %s", given, err, limit)
	}
}

// command splits a command line as systemd does where it has no more than double quotes, and
// takes the name of the program from it.
func command(t *testing.T, line string) []string {
	t.Helper()
	line, ok := strings.CutPrefix(strings.TrimPrefix(line, "-"), "/usr/bin/nodee ")
	if !ok {
		t.Fatalf("%q runs no nodee", line)
	}
	var words []string
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			words = append(words, part)
		} else {
			words = append(words, strings.Fields(part)...)
		}
	}
	return words
}

func TestTheCommandsExist(t *testing.T) {
	run := func(words []string) (code int, said string) {
		var out, told bytes.Buffer
		code = cli.Run(t.Context(), cli.Program{Version: "test", In: strings.NewReader(""), Out: &out, Err: &told}, append(words, "--help"))
		return code, told.String()
	}
	for name, key := range map[string]string{"nodee-drain.service": "ExecStop", "nodee.service": "ExecReload"} {
		words := command(t, readUnit(t, name)["Service"][key][0])
		if code, said := run(words); code != 0 {
			t.Errorf("nodee %q: exit code %d: %s", words, code, said)
		}
		if code, _ := run(append(words, "--until-doomsday")); code != 2 {
			t.Errorf("a flag that is not there: exit code %d, so that this test cannot fail", code)
		}
	}
}

// What systemd itself says of the units, where it is installed.
func TestSystemdReadsTheUnits(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("systemd-analyze is not installed: apt-get install systemd")
	}
	dir := t.TempDir()
	args := []string{"verify"}
	for _, name := range []string{"nodee.service", "nodee-drain.service", "nodee-coordinator.service"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		// It wants to see the program, which need not be installed here.
		text = bytes.ReplaceAll(text, []byte("/usr/bin/nodee"), []byte("/bin/true"))
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		args = append(args, path)
	}
	out, err := exec.CommandContext(t.Context(), analyze, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
	for line := range strings.Lines(string(out)) {
		// Older ones do without.
		if strings.Contains(line, dir) && !strings.Contains(line, "'DelegateSubgroup'") {
			t.Error(line)
		}
	}
}
