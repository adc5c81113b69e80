// Package api holds the JSON types of Nodee's REST interfaces: what the daemons answer, and
// what the client, the command line and tests read. In answers a number has its unit in its
// name, and times are RFC 3339 in UTC.
//
// It holds no behaviour beyond telling what an answer says of a wish; where each type is
// described in full is the daemon's OpenAPI document.
package api

import (
	"time"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// Install asks for an artifact: the body of POST /v1/artifacts.
type Install struct {
	Artifact   string `json:"artifact" doc:"group:name:version[:classifier][@extension]" example:"com.example:web:1.2.0"`
	Repository string `json:"repository,omitempty" doc:"The one repository to ask; empty: all that serve the group, in order"`
	SHA256     string `json:"sha256,omitempty" doc:"The digest that the archive must have"`
}

// Artifact is an installed version.
type Artifact struct {
	Artifact    string    `json:"artifact" doc:"group:name:version[:classifier]"`
	Group       string    `json:"group"`
	Name        string    `json:"name"`
	Version     string    `json:"version"`
	Classifier  string    `json:"classifier"`
	Path        string    `json:"path" doc:"Where it stands, absolute"`
	SizeBytes   int64     `json:"size_bytes" doc:"Of its regular files"`
	Files       int       `json:"files" doc:"How many regular files it has"`
	SHA256      string    `json:"sha256" doc:"Of the archive, as it was downloaded"`
	Repository  string    `json:"repository" doc:"The name of the repository it came from"`
	InstalledAt time.Time `json:"installed_at"`
	UsedBy      []string  `json:"used_by" doc:"The services that name it"`
}

// Artifacts is the list of what is installed.
type Artifacts struct {
	Artifacts []Artifact `json:"artifacts"`
}

// Verification is what became of comparing an artifact with its manifest.
type Verification struct {
	OK     bool          `json:"ok"`
	Faults []VerifyFault `json:"faults"`
}

// VerifyFault is one difference between an artifact and its manifest.
type VerifyFault struct {
	Path  string `json:"path"`
	Fault string `json:"fault"`
}

// Service is one service: what is desired of it, and where it is.
type Service struct {
	Coordinate         string         `json:"coordinate"`
	Artifact           string         `json:"artifact" doc:"Empty for a service without one"`
	Desired            string         `json:"desired" enum:"running,stopped,drained"`
	State              string         `json:"state" enum:"pending,installing,preparing,starting,running,draining,stopping,backoff,stopped,failed"`
	Healthy            *bool          `json:"healthy" doc:"What its checks say; null without checks, and while nothing runs"`
	PID                *int           `json:"pid" doc:"Of the main process; null when none runs"`
	StartedAt          *time.Time     `json:"started_at" doc:"When the main process was started; null when none runs"`
	UptimeSeconds      float64        `json:"uptime_seconds"`
	NextTryAt          *time.Time     `json:"next_try_at" doc:"When it is tried again; null but in backoff"`
	Restarts           int            `json:"restarts" doc:"Since the last start that was asked for"`
	LastExit           *service.Exit  `json:"last_exit"`
	StatusText         string         `json:"status_text" doc:"What the process says of itself: STATUS= to its NOTIFY_SOCKET"`
	Ports              map[string]int `json:"ports"`
	RuntimeDir         string         `json:"runtime_dir"`
	LogDir             string         `json:"log_dir"`
	Owner              string         `json:"owner" doc:"local, or job:<job>"`
	Generation         int64          `json:"generation" doc:"Rises with each change of what is desired"`
	ObservedGeneration int64          `json:"observed_generation" doc:"The generation that state answers to"`
	Why                string         `json:"why" doc:"Why it is in this state, for people"`
	Spec               *service.Spec  `json:"spec,omitempty"`
}

// Services is the list of all services.
type Services struct {
	Services []Service `json:"services"`
}

// Events is a part of the history, oldest first.
type Events struct {
	Events []service.Event `json:"events"`
}

// Diff tells what a changed spec would take.
type Diff struct {
	Action string   `json:"action" enum:"restart,live,none" doc:"restart: what runs is stopped and started again; live: it runs on, by the new spec; none: the specs say the same"`
	Fields []string `json:"fields" doc:"What differs, sorted" example:"[\"restart.max\"]"`
}

// Why is a chain of causes.
type Why struct {
	Why []Cause `json:"why" doc:"The newest effect first"`
}

// Cause is one link of a chain of causes: what has come about, and because of what.
type Cause struct {
	At      time.Time `json:"at"`
	What    string    `json:"what" example:"it was started (pid 4711) for generation 4"`
	Because string    `json:"because" doc:"Empty where somebody has asked for it, or nothing more is known"`
	By      string    `json:"by" doc:"Who has asked for it; empty where nobody did"`
}

// Endpoints is where running, healthy services are reached.
type Endpoints struct {
	Endpoints []Endpoint `json:"endpoints" doc:"By coordinate and name"`
}

// Endpoint is one address of a running, healthy service.
type Endpoint struct {
	Coordinate string `json:"coordinate"`
	Name       string `json:"name" example:"http"`
	Host       string `json:"host"`
	Port       int    `json:"port"`
	Protocol   string `json:"protocol" doc:"http, https or tcp, where Nodee runs the service"`
}

// Status tells about the node as a whole.
type Status struct {
	Node        Node              `json:"node"`
	Version     string            `json:"version"`
	Prefix      string            `json:"prefix" doc:"The folder that all of the node's files are under"`
	PID         int               `json:"pid"`
	AnchorPID   *int              `json:"anchor_pid" doc:"null: the daemon runs without an anchor"`
	StartedAt   time.Time         `json:"started_at"`
	Machine     Machine           `json:"machine"`
	Status      string            `json:"status" enum:"ready,draining,drained"`
	Drain       *NodeDrain        `json:"drain" doc:"null: the node takes work"`
	Features    map[string]string `json:"features" doc:"What this host lets Nodee do"`
	ZooKeeper   ZooKeeper         `json:"zookeeper"`
	Coordinator Address           `json:"coordinator"`
	HTTP        Address           `json:"http"`
	Services    map[string]int    `json:"services" doc:"How many services are in each state"`
}

// NodeDrained is what the why of a service begins with that a drain of its node keeps from running.
const NodeDrained = "the node is drained"

// NodeDrain tells about the drain of a node.
type NodeDrain struct {
	Since       time.Time `json:"since"`
	By          string    `json:"by" doc:"Who has asked for it"`
	Why         string    `json:"why" doc:"What for, in the words of who has asked"`
	UntilReboot bool      `json:"until_reboot" doc:"Whether the next start of the host ends it"`
	Policy      bool      `json:"policy" doc:"Whether it is the cell's policy for the node, which nodee node resume lifts, and not the node's own drain, which nodee resume lifts"`
	Deadline    time.Time `json:"deadline" doc:"When the services of jobs are drained that have not been moved by then; those of the node's own are drained at once"`
}

// Node says who a node is.
type Node struct {
	ID      string            `json:"id" doc:"Made once and kept"`
	Name    string            `json:"name"`
	Cell    string            `json:"cell" doc:"The cell that it is configured for, also while it stands alone"`
	Cluster string            `json:"cluster"`
	Labels  map[string]string `json:"labels"`
}

// Machine describes a host.
type Machine struct {
	OS            string    `json:"os"`
	Arch          string    `json:"arch"`
	Kernel        string    `json:"kernel"`
	BootID        string    `json:"boot_id"`
	CPUs          int       `json:"cpus"`
	MemoryBytes   int64     `json:"memory_bytes"`
	DiskBytes     int64     `json:"disk_bytes" doc:"Of the file system that holds the prefix"`
	DiskFreeBytes int64     `json:"disk_free_bytes"`
	Load          []float64 `json:"load" doc:"Over 1, 5 and 15 minutes"`
}

// ZooKeeper tells how the node stands with ZooKeeper.
type ZooKeeper struct {
	State   string     `json:"state" enum:"off,connecting,connected,lost,name-taken"`
	Since   *time.Time `json:"since" doc:"Since when; null when it is off"`
	Servers []string   `json:"servers"`
	Session string     `json:"session" doc:"Its id, as ZooKeeper's own logs write it; empty before the first"`
	Holder  string     `json:"holder" doc:"Who has this node's name; empty unless it is taken"`
	Why     string     `json:"why" doc:"Why it is not connected, or does not follow what its cell assigns, for people, as far as is known"`
}

// Address is where something can be reached.
type Address struct {
	Address string `json:"address" doc:"A URL; empty when there is none"`
}

// Problem is what went wrong, as RFC 9457 has it.
type Problem struct {
	Type      string        `json:"type"`
	Title     string        `json:"title"`
	Status    int           `json:"status"`
	Detail    string        `json:"detail"`
	Retryable bool          `json:"retryable"`
	Errors    []fault.Field `json:"errors,omitempty"`
	Service   *Service      `json:"service,omitempty"`
	Job       *Job          `json:"job,omitempty"`
}
