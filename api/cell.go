package api

import "time"

// The statuses of a node in its cell.
const (
	CellNodeReady    = "ready"
	CellNodeDraining = "draining"
	CellNodeDrained  = "drained"
	CellNodeAway     = "away" // it has no session
)

// CellNode is a node as a coordinator sees it.
type CellNode struct {
	Name     string            `json:"name"`
	Status   string            `json:"status" enum:"ready,draining,drained,away"`
	Since    time.Time         `json:"since" doc:"When it registered, or when it was seen to be away"`
	Eligible bool              `json:"eligible" doc:"It may be given more than it has"`
	Cluster  string            `json:"cluster"`
	Labels   map[string]string `json:"labels"`
	Features map[string]string `json:"features"`
	Version  string            `json:"version" doc:"Of its daemon"`
	Machine  Machine           `json:"machine"`
	HTTP     string            `json:"http" doc:"The URL of its API"`
	Policy   *NodePolicy       `json:"policy" doc:"What operators have decided about it; null: nothing"`
	Capacity Capacity          `json:"capacity"`
	Units    []NodeUnit        `json:"units,omitempty" doc:"What it runs or should; not in lists"`
	Held     string            `json:"held" doc:"Why nothing is planned in the whole cell, this node included: it is frozen, or its settings cannot be read; empty: it is"`
	Refused  string            `json:"refused" doc:"Why it does not follow its assignment; empty: it does"`
	Why      string            `json:"why" doc:"Why it is in this status, for people"`
}

// NodePolicy is what operators have decided about a node.
type NodePolicy struct {
	Drained  bool       `json:"drained" doc:"What it runs goes elsewhere"`
	Eligible bool       `json:"eligible" doc:"It may be given more than it has"`
	Deadline *time.Time `json:"deadline" doc:"Of the drain: what has not gone elsewhere is drained then all the same; null without a drain"`
	Why      string     `json:"why"`
	By       string     `json:"by" doc:"Who asked"`
	Since    time.Time  `json:"since"`
}

// Capacity is how much a node has, and how much of that jobs count on.
type Capacity struct {
	CPUTotal         float64 `json:"cpu_total" doc:"Cores"`
	CPUUsed          float64 `json:"cpu_used"`
	MemoryBytesTotal int64   `json:"memory_bytes_total"`
	MemoryBytesUsed  int64   `json:"memory_bytes_used"`
	UnitsTotal       int     `json:"units_total"`
	UnitsUsed        int     `json:"units_used"`
}

// NodeUnit is one unit on a node: what the cell has given it, and what is its own.
type NodeUnit struct {
	Name       string         `json:"name" doc:"Of a service its coordinate"`
	Owner      string         `json:"owner" doc:"local, or job:<job>"`
	Want       string         `json:"want" doc:"What its assignment says: running, stopped or drained; empty for what the cell has not given it"`
	State      string         `json:"state" doc:"As the node has reported it; empty until it has"`
	Healthy    *bool          `json:"healthy"`
	Ports      map[string]int `json:"ports"`
	Generation int64          `json:"generation"`
	Conflict   string         `json:"conflict" doc:"Of a local service: whose unit of that name it keeps from running here"`
	Why        string         `json:"why"`
}

// CellNodes is the list of all nodes that are there or that something is known of.
type CellNodes struct {
	Nodes []CellNode `json:"nodes"`
}

// Cell tells about the cell as a whole, and about the coordinator that answers.
type Cell struct {
	Name        string          `json:"name"`
	ID          string          `json:"id" doc:"Made once, at random; empty until a leader has made it"`
	Leader      *CellLeader     `json:"leader" doc:"null: there is none now, or the coordinator that answers cannot know for want of ZooKeeper"`
	Coordinator CellCoordinator `json:"coordinator" doc:"The one that answers"`
	Freeze      bool            `json:"freeze" doc:"The coordinators change nothing"`
	Held        string          `json:"held" doc:"Why nothing is planned: it is frozen, or its settings cannot be read; empty: it is"`
	Why         string          `json:"why" doc:"Why it is frozen, in the words of who has asked"`
	By          string          `json:"by" doc:"Who has changed the settings last"`
	Since       *time.Time      `json:"since" doc:"When; null: never"`
	Nodes       map[string]int  `json:"nodes" doc:"How many are in each status"`
	Jobs        map[string]int  `json:"jobs" doc:"How many are in each status"`
	Instances   InstanceCounts  `json:"instances"`
}

// InstanceCounts are those of all jobs together.
type InstanceCounts struct {
	Desired int `json:"desired"`
	Running int `json:"running"`
	Healthy int `json:"healthy"`
	Pending int `json:"pending"`
}

// AsOfHeader is the header of a coordinator's answers while it has no connection to ZooKeeper: since
// when, in RFC 3339. What they tell is what was known then.
const AsOfHeader = "Nodee-As-Of"

// CellLeader is who leads.
type CellLeader struct {
	Name  string    `json:"name" doc:"Of its host"`
	HTTP  string    `json:"http" doc:"The URL of its API"`
	Since time.Time `json:"since"`
}

// CellCoordinator is how a coordinator stands with the cell.
type CellCoordinator struct {
	Name      string    `json:"name" doc:"Of its host"`
	HTTP      string    `json:"http" doc:"The URL of its API"`
	Version   string    `json:"version" doc:"Of the program"`
	StartedAt time.Time `json:"started_at"`
	Leads     bool      `json:"leads"`
	Epoch     int32     `json:"epoch" doc:"The one that it has seen last; -1: none"`
	ZooKeeper ZooKeeper `json:"zookeeper"`
}

// CellSettings changes the settings of a cell: the body of PATCH /v1/cell.
type CellSettings struct {
	Freeze bool   `json:"freeze" doc:"The coordinators change nothing"`
	Why    string `json:"why,omitempty" doc:"What for; whoever asks why nothing happens is told"`
}

// CellEvent is something that happened in the cell, as the coordinator that answers has seen it.
type CellEvent struct {
	Seq      uint64    `json:"seq" doc:"Rises at this coordinator, and begins anew when it is started"`
	At       time.Time `json:"at"`
	Type     string    `json:"type" example:"moved"`
	Job      string    `json:"job" doc:"Empty where it is about none"`
	Instance string    `json:"instance" doc:"The coordinate; empty where it is about none"`
	Node     string    `json:"node" doc:"Empty where it is about none"`
	Why      string    `json:"why"`
	By       string    `json:"by,omitempty" doc:"Who asked, where somebody did"`
}

// CellEvents is a part of what happened in the cell, oldest first.
type CellEvents struct {
	Events []CellEvent `json:"events"`
}
