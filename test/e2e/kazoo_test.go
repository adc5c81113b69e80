package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/internal/keeper"
	"github.com/cloudname/nodee/zkschema"
)

// kazoo makes a command that runs testdata/outsider.py, ZooKeeper seen by a client that nobody
// here has written.
func (c cell) kazoo(do string, paths ...string) *exec.Cmd {
	c.t.Helper()
	const python = "/usr/bin/python3"
	if err := exec.Command(python, "-c", "import kazoo").Run(); err != nil {
		c.t.Skip("kazoo is missing, a client of ZooKeeper in Python: scripts/need kazoo")
	}
	args := []string{"testdata/outsider.py", strings.Join(c.servers.Servers, ","), do}
	return exec.CommandContext(c.t.Context(), python, append(args, paths...)...)
}

// What kazoo reads is what the contract says, and it sees no gap over a kill and an end.
func kazoo(t *testing.T, c cell) {
	n, s := start(t, c.args("n1")...), c.look()
	ports := n.put(c.own("1.web"), serving).Ports
	c.told(n, s, []string{c.own("1.web")})
	n.until("the report is there", func() error {
		_, _, there := c.at(s, c.Report("n1"))
		if !there {
			return fmt.Errorf("it is not")
		}
		return nil
	})
	status := "/cn/e2e/" + string(c.Cell) + "/web/1/status"
	base := "/meta/" + string(c.Cell)
	read := c.kazoo("read", base+"/nodes/n1", base+"/incarnations/n1", base+"/reports/n1", status)
	var said bytes.Buffer
	read.Stderr = &said
	out, err := read.Output()
	if err != nil {
		t.Fatalf("kazoo: %v\n%s", err, &said)
	}
	var found map[string]struct {
		Owner int64             `json:"owner"`
		Texts []json.RawMessage `json:"texts"`
	}
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	session := n.zooKeeper().Session
	for path, ephemeral := range map[string]bool{base + "/nodes/n1": true, base + "/incarnations/n1": false, base + "/reports/n1": false, status: true} {
		if owner := found[path].Owner; ephemeral != (keeper.SessionName(owner) == session) || !ephemeral && owner != 0 {
			t.Errorf("%s is of session %#x; the node's is %s", path, owner, session)
		}
	}
	var record zkschema.Node
	if texts := found[base+"/nodes/n1"].Texts; len(texts) != 1 || json.Unmarshal(texts[0], &record) != nil || record.Services[c.own("1.web")] != "running" || record.Name != "n1" {
		t.Errorf("the record is %s", texts)
	}
	var text string
	var state struct{ State, Message string }
	var endpoints map[string]zkschema.Endpoint
	texts := found[status].Texts
	if len(texts) != 2 || json.Unmarshal(texts[0], &text) != nil || json.Unmarshal([]byte(text), &state) != nil || json.Unmarshal(texts[1], &endpoints) != nil {
		t.Fatalf("the status is %s", texts)
	}
	if e := endpoints["http"]; state.State != "RUNNING" || e.Port != ports["http"] || e.Host != "n1.example.com" || e.Protocol != "http" || e.Coordinate.Service != "web" {
		t.Errorf("the status is %+v, %+v", state, endpoints)
	}
	kazooPolls(c, n, base+"/nodes", []string{base + "/nodes/n1", status})
}

// kazooPolls has kazoo poll while the daemon is killed, and ends.
func kazooPolls(c cell, n *node, parent string, paths []string) {
	n.t.Helper()
	cmd := c.kazoo("poll", slices.Insert(paths, 0, parent)...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		n.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		n.t.Fatal(err)
	}
	lines := bufio.NewScanner(stdout)
	lines.Scan() // ready
	n.kill()
	n.up()
	n.stands("connected")
	n.terminate()
	n.up()
	n.stands("connected")
	time.Sleep(lapse + 2*time.Second) // the sessions of the dead come to their end
	stdin.Close()
	lines.Scan()
	var saw struct {
		Polls int
		Gone  [][]any
	}
	if err := json.Unmarshal(lines.Bytes(), &saw); err != nil || cmd.Wait() != nil {
		n.t.Fatalf("kazoo says %q: %v", lines.Text(), err)
	}
	if saw.Polls < 100 || len(saw.Gone) > 0 {
		n.t.Errorf("in %d polls kazoo saw these gone: %v", saw.Polls, saw.Gone)
	}
	n.t.Logf("kazoo has polled %d times", saw.Polls)
}
