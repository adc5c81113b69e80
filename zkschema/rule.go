package zkschema

import (
	"encoding/json"
	"time"
)

// Policy is what operators have decided about a node. Without one it is eligible and takes work.
type Policy struct {
	Schema   int        `json:"schema"`
	Drained  bool       `json:"drained"`  // what it runs goes elsewhere
	Eligible bool       `json:"eligible"` // it may be given more than it has
	Deadline *time.Time `json:"deadline"` // of the drain: what has not gone elsewhere is drained then all the same; null without a drain
	Why      string     `json:"why"`
	By       string     `json:"by"`
	Since    time.Time  `json:"since"`
}

// Encode writes the record.
func (p Policy) Encode() ([]byte, error) {
	p.Schema = Schema
	return json.Marshal(p)
}

// DecodePolicy reads the policy of a node.
func DecodePolicy(data []byte) (Policy, error) {
	var p Policy
	err := decode("a policy", data, &p, &p.Schema)
	return p, err
}

// Settings are the cell's own: who it is, and whether anything may change in it.
type Settings struct {
	Schema int       `json:"schema"`
	ID     string    `json:"id"`     // made once, at random: another one is another cell, whatever its name
	Freeze bool      `json:"freeze"` // the coordinator changes nothing
	Why    string    `json:"why"`
	By     string    `json:"by"`
	Since  time.Time `json:"since"`
}

// Encode writes the record.
func (s Settings) Encode() ([]byte, error) {
	s.Schema = Schema
	return json.Marshal(s)
}

// DecodeSettings reads the settings of a cell.
func DecodeSettings(data []byte) (Settings, error) {
	var s Settings
	err := decode("the cell's settings", data, &s, &s.Schema)
	return s, err
}

// Leader is who leads the cell.
type Leader struct {
	Schema int       `json:"schema"`
	Name   string    `json:"name"` // of its host
	HTTP   string    `json:"http"` // the URL of its API
	Since  time.Time `json:"since"`
}

// Encode writes the record.
func (l Leader) Encode() ([]byte, error) {
	l.Schema = Schema
	return json.Marshal(l)
}

// DecodeLeader reads who leads.
func DecodeLeader(data []byte) (Leader, error) {
	var l Leader
	err := decode("the leader", data, &l, &l.Schema)
	return l, err
}
