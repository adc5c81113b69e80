package service

import "time"

// EventType says what happened.
type EventType string

// What can happen to a service.
const (
	EventDesired    EventType = "desired" // somebody changed what is wanted
	EventInstalling EventType = "installing"
	EventInstalled  EventType = "installed"
	EventPrepared   EventType = "prepared"
	EventStarted    EventType = "started"
	EventReady      EventType = "ready"
	EventHealthy    EventType = "healthy"
	EventUnhealthy  EventType = "unhealthy"
	EventExited     EventType = "exited"
	EventBackoff    EventType = "backoff"
	EventDraining   EventType = "draining"
	EventStopping   EventType = "stopping"
	EventKilled     EventType = "killed" // what did not end in time was killed
	EventStopped    EventType = "stopped"
	EventFailed     EventType = "failed"
	EventAdopted    EventType = "adopted" // found running after the daemon's restart
	EventRemoved    EventType = "removed"
)

// What can happen to the node as a whole. Such events have no coordinate.
const (
	EventNodeDraining EventType = "node-draining" // it takes no work from now on
	EventNodeResumed  EventType = "node-resumed"  // it takes work again
)

// Event is one entry of the history. Seq rises on the node and survives restarts.
type Event struct {
	Seq        uint64    `json:"seq"`
	At         time.Time `json:"at"`
	Coordinate string    `json:"coordinate"` // empty where it is about the node
	Type       EventType `json:"type"`
	PID        *int      `json:"pid"`    // null where no process is concerned
	Code       *int      `json:"code"`   // of an exit, null after a signal
	Signal     *string   `json:"signal"` // without SIG; null otherwise
	Generation int64     `json:"generation"`
	Why        string    `json:"why"`
	By         string    `json:"by,omitempty"` // who asked, where somebody did
}
