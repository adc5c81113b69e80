package zkschema

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

var (
	web  = service.Coordinate{Instance: 1, Service: "web", User: "borud", Cell: "fbu"}
	when = time.Date(2026, 11, 21, 10, 0, 0, 0, time.UTC)
)

func exit(code int) *service.Exit {
	return &service.Exit{Code: &code, At: when, Reason: service.ReasonExited, Why: fmt.Sprintf("exited with %d", code)}
}

func node() Node {
	n := Node{
		Schema: 1, ID: "7b1c", Incarnation: 3, Name: "n1", Kind: "static", Cluster: "default", Version: "1.0",
		Machine: api.Machine{OS: "linux", Arch: "amd64", Kernel: "6.1", BootID: "b", CPUs: 2, MemoryBytes: 1 << 30, DiskBytes: 1 << 40,
			DiskFreeBytes: 1 << 39, Load: []float64{0.1, 0.2, 0.3}},
		Status: "ready", Labels: map[string]string{"rack": "r1"}, Features: map[string]string{"cgroup": "v2"}, HTTP: "http://n1:7040", Since: when,
	}
	n.NameServices(map[service.Coordinate]service.State{web: service.StateRunning})
	return n
}

func report() Report {
	return Report{Schema: 1, Node: "n1", Incarnation: 3, Assignment: -1, Units: []Unit{{
		Kind: "service", Name: web.String(), Owner: "local", State: service.StateBackoff, Ports: map[string]int{"http": 31000},
		Generation: 2, Restarts: 1, LastExit: exit(3), Why: "exited with 3; restart 1 in 1s",
	}}}
}

func cloudname() CloudnameStatus {
	return CloudnameStatus{State: CloudnameRunning, Message: "it was started", Endpoints: Endpoints(web, "n1", map[string]int{"http": 31000, "admin": 31001})}
}

// The golden files are what is in ZooKeepers out there: a change of one is a change of the
// contract. UPDATE=1 writes them anew.
func TestGolden(t *testing.T) {
	for name, record := range map[string]interface{ Encode() ([]byte, error) }{
		"node.json": node(), "report.json": report(), "cloudname.txt": cloudname(),
		"incarnation.json": Incarnation{Schema: 1, ID: "7b1c", MachineID: "m", BootID: "b"},
		"job.json":         jobRecord(t), "assignment.json": assignment(t), "deployment.json": deployment(),
		"policy.json":   Policy{Schema: 1, Drained: true, Deadline: &when, Why: "new disks", By: "ann", Since: when},
		"settings.json": Settings{Schema: 1, ID: "5f0a", Since: when}, "leader.json": Leader{Schema: 1, Name: "c1", HTTP: "http://c1:7041", Since: when},
	} {
		got, err := record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		path := filepath.Join("testdata", name)
		if os.Getenv("UPDATE") != "" {
			if err := os.WriteFile(path, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil || string(got)+"\n" != string(want) {
			t.Errorf("%s: %v\ngot  %s\nwant %s", name, err, got, want)
		}
	}
}

func TestWhatIsWrittenIsReadBack(t *testing.T) {
	read := func(record interface{ Encode() ([]byte, error) }, decode func([]byte) (any, error)) {
		t.Helper()
		b, err := record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := decode(b)
		if err != nil || !reflect.DeepEqual(got, record) {
			t.Errorf("%s\nis read as %+v, %v\nwant       %+v", b, got, err, record)
		}
	}
	read(node(), func(b []byte) (any, error) { return DecodeNode(b) })
	read(report(), func(b []byte) (any, error) { return DecodeReport(b) })
	read(cloudname(), func(b []byte) (any, error) { return DecodeCloudname(b) })
	read(Incarnation{Schema: 1, ID: "x"}, func(b []byte) (any, error) { return DecodeIncarnation(b) })
	read(jobRecord(t), func(b []byte) (any, error) { return DecodeJob(b) })
	read(assignment(t), func(b []byte) (any, error) { return DecodeAssignment(b) })
	read(deployment(), func(b []byte) (any, error) { return DecodeDeployment(b) })
	read(Policy{Schema: 1, Eligible: true, Since: when}, func(b []byte) (any, error) { return DecodePolicy(b) })
	read(Settings{Schema: 1, ID: "5f0a", Freeze: true, Since: when}, func(b []byte) (any, error) { return DecodeSettings(b) })
	read(Leader{Schema: 1, Name: "c1", Since: when}, func(b []byte) (any, error) { return DecodeLeader(b) })
}

func TestSchemas(t *testing.T) {
	for text, want := range map[string]error{
		`{"schema":2,"id":"x"}`:          ErrNewer,
		`{"schema":2,"id":{"new":"x"}}`:  ErrNewer,
		`{"schema":1,"id":"x","new":[]}`: nil,
	} {
		if _, err := DecodeNode([]byte(text)); !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", text, err, want)
		}
	}
	for _, text := range []string{``, `{}`, `{"schema":0}`, `{"schema":1,"id":5}`, `[]`, `{"schema":1}x`} {
		if _, err := DecodeNode([]byte(text)); err == nil || errors.Is(err, ErrNewer) {
			t.Errorf("%s: %v, want an error of another kind", text, err)
		}
	}
}

func TestPaths(t *testing.T) {
	cell, err := ParseCell("cell")
	if err != nil {
		t.Fatal(err)
	}
	for got, want := range map[string]string{
		cell.Node("n1"): "/meta/cell/nodes/n1", cell.Incarnation("n1"): "/meta/cell/incarnations/n1",
		cell.Report("n1"): "/meta/cell/reports/n1", Cloudname(web): "/cn/fbu/borud/web/1/status",
		CloudnameService("web", "borud", "fbu"): "/cn/fbu/borud/web",
		cell.Policy("n1"):                       "/meta/cell/policy/n1", cell.Assignment("n1"): "/meta/cell/assignments/n1",
		cell.Job(webJob): "/meta/cell/jobs/web.borud.fbu", cell.Version(webJob, 3): "/meta/cell/versions/web.borud.fbu/3",
		cell.Deployment(webJob): "/meta/cell/deployments/web.borud.fbu", cell.Spec("ab"): "/meta/cell/specs/ab",
		cell.Settings(): "/meta/cell/settings", cell.Leader(): "/meta/cell/leader", cell.Epoch(): "/meta/cell/epoch",
	} {
		if got != want {
			t.Errorf("path %s, want %s", got, want)
		}
	}
	for _, s := range []string{"", "Cell", "a/b", "..", strings.Repeat("a", 64)} {
		if _, err := ParseCell(s); err == nil {
			t.Errorf("%q is taken for a cell", s)
		}
	}
	for _, s := range []string{"", ".", "..", "a/b", "N1", "-n", strings.Repeat("a", 254)} {
		if CheckNode(s) == nil {
			t.Errorf("%q is taken for the name of a node", s)
		}
	}
	if err := CheckNode("n1.example-host_2.com"); err != nil {
		t.Error(err)
	}
}

func TestANodeNamesWhatThereIsRoomFor(t *testing.T) {
	states := map[service.Coordinate]service.State{}
	for i := range int32(1000) {
		states[service.Coordinate{Instance: i, Service: "web", User: "borud", Cell: "fbu"}] = service.StateRunning
	}
	n := node()
	n.NameServices(states)
	named, err := json.Marshal(n.Services)
	if err != nil {
		t.Fatal(err)
	}
	if !n.ServicesTruncated || n.ServiceCounts["running"] != 1000 || len(n.Services) > maxNamed || len(named) > maxNamedBytes+2 || len(n.Services) < 400 {
		t.Errorf("%d of %v are named in %d bytes, truncated %v", len(n.Services), n.ServiceCounts, len(named), n.ServicesTruncated)
	}
	if n.Services["0.web.borud.fbu"] == "" {
		t.Error("the first one is not named")
	}
}

func TestAReportFitsIntoARequest(t *testing.T) {
	long := func(n int) Report {
		r := Report{Node: "n1"}
		for i := range n {
			u := report().Units[0]
			u.Name = fmt.Sprintf("%d.%s.borud.fbu", i, strings.Repeat("w", 40))
			u.Why = strings.Repeat("wäh ", 500)
			r.Units = append(r.Units, u)
		}
		return r
	}
	for _, n := range []int{0, 1, 100, 500, MaxUnits} {
		b, err := long(n).Encode()
		if err != nil || len(b) > MaxRequest {
			t.Fatalf("%d units: %d bytes, %v", n, len(b), err)
		}
		got, err := DecodeReport(b)
		if err != nil || len(got.Units) != n {
			t.Errorf("%d units are read as %d, %v", n, len(got.Units), err)
		}
	}
	if b, err := long(100).Encode(); err != nil || len(b) > smallReport {
		t.Errorf("100 units that have much to say: %d bytes, %v; want %d at most", len(b), err, smallReport)
	}
	if _, err := long(MaxUnits + 1).Encode(); err == nil || !strings.Contains(err.Error(), "the node is full") {
		t.Errorf("one more than there may be: %v", err)
	}
}

// Names and ports may be as long and as many as they can be: a node is not lost for that.
// Hundreds of artifacts whose repository is away, each with a long reason, must not keep a node from
// reporting.
func TestWhyArtifactsAreNotThereIsCut(t *testing.T) {
	r := Report{Node: "n1", PrefetchFailed: map[string]string{}}
	for n := range 400 {
		r.PrefetchFailed[fmt.Sprintf("com.example:web:%d", n)] = strings.Repeat("the repository does not answer; ", 40)
	}
	data, err := r.Encode()
	if err != nil || len(data) > reportRoom {
		t.Fatalf("%d bytes, %v", len(data), err)
	}
	back, err := DecodeReport(data)
	if err != nil || len(back.PrefetchFailed) != 400 || !strings.HasPrefix(back.PrefetchFailed["com.example:web:7"], "the repository does not answer") {
		t.Errorf("it says %q, %v", back.PrefetchFailed, err)
	}
	r = Report{Node: "n1", Refused: strings.Repeat("x", MaxRequest)}
	if _, err := r.Encode(); err == nil {
		t.Error("a report that cannot fit is written")
	}
}

func TestWhateverThereIsFits(t *testing.T) {
	ports := map[string]int{}
	for i := range 1500 {
		ports[fmt.Sprintf("%s%d", strings.Repeat("p", 58), i)] = 1 + i
	}
	for name, longest := range map[string]int{"many ports": 3, "long names": 63} {
		r := Report{Node: "n1"}
		for i := range MaxUnits {
			u := Unit{Name: fmt.Sprintf("%d%s", i, strings.Repeat("."+strings.Repeat("n", longest), 3)), Owner: "job:" + strings.Repeat("o", 3*longest), State: service.StateRunning}
			if i < 10 {
				u.Ports = ports
			}
			r.Units = append(r.Units, u)
		}
		b, err := r.Encode()
		got, _ := DecodeReport(b)
		if whole := len(got.Units) == MaxUnits; err != nil || len(b) > MaxRequest || len(got.Units) < 400 || got.Truncated == whole || whole != (longest == 3) {
			t.Errorf("%s: %d of %d units in %d bytes, truncated %v, %v", name, len(got.Units), MaxUnits, len(b), got.Truncated, err)
		}
	}
	b, err := CloudnameStatus{State: CloudnameRunning, Endpoints: Endpoints(web, "n1", ports)}.Encode()
	got, _ := DecodeCloudname(b)
	if err != nil || len(b) > MaxRequest || got.State != CloudnameRunning || len(got.Endpoints) != 0 || !strings.Contains(got.Message, "1500 endpoints") {
		t.Errorf("%d bytes, %s with %d endpoints: %q, %v", len(b), got.State, len(got.Endpoints), got.Message, err)
	}
}

// Cloudname's own library sets its two values apart by a space, has keys in any order, and
// writes null where there is nothing.
func TestWhatCloudnameWritesIsRead(t *testing.T) {
	const text = `"{\"message\":\"up\",\"state\":\"DRAINING\"}" {"http":{"endpointData":null,"name":"http","coordinate":` +
		`{"cell":"fbu","user":"borud","service":"web","instance":1},"protocol":"http","port":80,"host":"n1"}}`
	got, err := DecodeCloudname([]byte(text))
	want := CloudnameStatus{State: CloudnameDraining, Message: "up", Endpoints: Endpoints(web, "n1", map[string]int{"http": 80})}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%+v, %v\nwant %+v", got, err, want)
	}
}

func TestAMessageIsShort(t *testing.T) {
	s := cloudname()
	s.Message = strings.Repeat("wäh ", 500)
	b, err := s.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if got, err := DecodeCloudname(b); err != nil || !strings.HasPrefix(got.Message, "wäh wäh") || len([]rune(got.Message)) != maxMessage {
		t.Errorf("%q, %v", got.Message, err)
	}
}

// Whatever somebody wrote into ZooKeeper, reading it ends, and what was read can be written.
func FuzzDecode(f *testing.F) {
	for _, name := range []string{"node.json", "report.json", "incarnation.json", "cloudname.txt"} {
		b, err := os.ReadFile(filepath.Join("testdata", name))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if n, err := DecodeNode(data); err == nil {
			again(t, n, func(b []byte) (any, error) { return DecodeNode(b) })
		}
		if i, err := DecodeIncarnation(data); err == nil {
			again(t, i, func(b []byte) (any, error) { return DecodeIncarnation(b) })
		}
		if s, err := DecodeCloudname(data); err == nil {
			again(t, s, func(b []byte) (any, error) { return DecodeCloudname(b) })
		}
		if r, err := DecodeReport(data); err == nil && len(data) < 1000 {
			again(t, r, func(b []byte) (any, error) { return DecodeReport(b) })
		}
	})
}

func again(t *testing.T, record interface{ Encode() ([]byte, error) }, decode func([]byte) (any, error)) {
	t.Helper()
	b, err := record.Encode()
	if err != nil {
		return // a time beyond the year 9999 cannot be written
	}
	if _, err := decode(b); err != nil {
		t.Errorf("%s: %v", b, err)
	}
}
