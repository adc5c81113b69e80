package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// story tells in sentences what there is to a service: since when it is so and who wanted
// that, what happened last, and what comes next. chain is why it is as it is.
func story(s api.Service, chain []api.Cause, now time.Time) []string {
	var lines []string
	for _, line := range []string{since(s, chain, now), wanted(chain, now), lastly(s, now), next(s, now)} {
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}

func since(s api.Service, chain []api.Cause, now time.Time) string {
	switch {
	case s.StartedAt != nil && s.State == string(service.StateRunning):
		text := fmt.Sprintf("It has run for %s, since %s", length(now.Sub(*s.StartedAt)), clock(*s.StartedAt))
		switch {
		case s.Healthy == nil:
		case *s.Healthy:
			text += ", and is healthy"
		default:
			text += ", but is not healthy"
		}
		return text + "."
	case len(chain) > 0:
		return fmt.Sprintf("It is %s since %s, %s.", s.State, clock(chain[0].At), ago(chain[0].At, now))
	}
	return ""
}

// wanted tells of the wish that the chain goes back to.
func wanted(chain []api.Cause, now time.Time) string {
	if len(chain) == 0 || chain[len(chain)-1].By == "" {
		return ""
	}
	wish := chain[len(chain)-1]
	return fmt.Sprintf("That goes back to %s, when %s, by %s.", ago(wish.At, now), wish.What, wish.By)
}

func lastly(s api.Service, now time.Time) string {
	text := ""
	if s.Restarts > 0 {
		text = "It was restarted " + count(s.Restarts, "time") + " since the last start that was asked for. "
	}
	if e := s.LastExit; e != nil {
		text += fmt.Sprintf("Its process ended the last time %s: %s.", ago(e.At, now), endOf(*e))
	}
	return text
}

func endOf(e service.Exit) string {
	text := endText(e.Code, e.Signal)
	if text == "" {
		text = "nobody saw how"
	}
	switch e.Reason {
	case service.ReasonStop:
		text += ", as it was told to stop"
	case service.ReasonDrain:
		text += ", as it was told to drain"
	case service.ReasonExited:
		text += ", by itself"
	case service.ReasonKilled, service.ReasonUnknown:
	default:
		text += ", for " + string(e.Reason)
	}
	return text
}

// next tells what will happen now, and what a person could do about it.
func next(s api.Service, now time.Time) string {
	if ofJob(s) && service.State(s.State).Settled() && !strings.HasPrefix(s.Why, api.NodeDrained) {
		return "Its job says what comes next: nodee job status " + strings.TrimPrefix(s.Owner, "job:") + "."
	}
	switch service.State(s.State) {
	case service.StateRunning:
		return afterwards(s)
	case service.StateBackoff:
		if s.NextTryAt == nil {
			return ""
		}
		return fmt.Sprintf("It is tried again in %s, at %s; to try at once: nodee service start %s.", length(s.NextTryAt.Sub(now)), clock(*s.NextTryAt), s.Coordinate)
	case service.StateFailed:
		return fmt.Sprintf("Nothing more is tried. To try again: nodee service start %s; its log: nodee service logs %s --stream stderr --tail 20.", s.Coordinate, s.Coordinate)
	case service.StateStopped:
		if strings.HasPrefix(s.Why, api.NodeDrained) {
			return "The drain of the node keeps it from running."
		}
		if s.Desired == string(service.Running) {
			return "It has finished, and is not started again until somebody asks for it."
		}
		return "It stays so, also after a reboot, until it is started: nodee service start " + s.Coordinate + "."
	}
	return ""
}

// afterwards tells what follows when a process that runs ends by itself.
func afterwards(s api.Service) string {
	if s.Spec == nil || s.Desired != string(service.Running) {
		return ""
	}
	r := s.Spec.Restart
	text := map[service.Policy]string{
		service.Always: "It is restarted when it ends", service.OnFailure: "It is restarted when it fails",
		service.Never: "It is not restarted when it ends",
	}[r.Policy]
	if r.Policy != service.Never && r.Max > 0 {
		text += fmt.Sprintf(", %d of at most %s used", s.Restarts, count(r.Max, "time"))
		if r.Window > 0 {
			text += " within " + r.Window.String()
		}
	}
	return text + "."
}
