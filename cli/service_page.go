package cli

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
)

// writeService writes the page of a service: how it is, the story of that, the facts, and what
// has happened lately.
func writeService(w io.Writer, s api.Service, chain []api.Cause, lately []service.Event, now time.Time) error {
	lines := []string{headline(s)}
	for _, sentence := range story(s, chain, now) {
		lines = append(lines, "  "+sentence)
	}
	for _, line := range append(lines, "") {
		if _, err := fmt.Fprintln(w, printable(line)); err != nil {
			return err
		}
	}
	if err := writePage(w, servicePage(s)); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(w, "\nlately"); err != nil {
		return err
	}
	return writeColumns(w, eventRows(lately, false), "  ")
}

// headline says in a sentence how a service is.
func headline(s api.Service) string {
	text := s.Coordinate + " is " + s.State
	if s.PID != nil {
		text += " (pid " + strconv.Itoa(*s.PID) + ")"
	}
	if s.Why != "" {
		text += ": " + s.Why
	}
	return text
}

// servicePage tells all about a service that its headline does not.
func servicePage(s api.Service) [][2]string {
	page := [][2]string{
		{"desired", fmt.Sprintf("%s (generation %d, the state answers to %d)", s.Desired, s.Generation, s.ObservedGeneration)},
	}
	if s.StartedAt != nil {
		page = append(page, [2]string{"started", fmt.Sprintf("%s, %s ago", clock(*s.StartedAt), length(seconds(s.UptimeSeconds)))})
	}
	page = append(page, [2]string{"restarts", strconv.Itoa(s.Restarts)}, [2]string{"last exit", exitText(s.LastExit)})
	if s.StatusText != "" {
		page = append(page, [2]string{"says", s.StatusText})
	}
	if s.Healthy != nil {
		page = append(page, [2]string{"healthy", strconv.FormatBool(*s.Healthy)})
	}
	page = append(page, [2]string{"artifact", s.Artifact})
	if s.Spec != nil {
		page = append(page, [2]string{"command", commandText(*s.Spec)})
	}
	return append(page, [][2]string{
		{"ports", portsText(s.Ports)}, {"runtime dir", s.RuntimeDir}, {"log dir", s.LogDir}, {"owner", s.Owner},
	}...)
}

func exitText(e *service.Exit) string {
	if e == nil {
		return "none"
	}
	text := endText(e.Code, e.Signal)
	if text == "" {
		text = "unknown"
	}
	text += fmt.Sprintf(" (%s), %s", e.Reason, clock(e.At))
	if e.Why != "" {
		text += ": " + e.Why
	}
	return text
}

// endText says how a process ended, "" when that is not known.
func endText(code *int, signal *string) string {
	switch {
	case signal != nil:
		return "signal " + *signal
	case code != nil:
		return "code " + strconv.Itoa(*code)
	}
	return ""
}

// commandText is the command as a shell would take it, but for the templates in it.
func commandText(s service.Spec) string {
	options, err := service.OptionArgs(s.Options, func(_, text string) (string, error) { return text, nil })
	if err != nil {
		options = nil // cannot happen: the text is passed on as it is
	}
	words := slices.Concat([]string{s.Command}, options, s.Args)
	for i, word := range words {
		if word == "" || strings.ContainsFunc(word, func(r rune) bool { return !plainRune(r) }) {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}

func plainRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
}

func portsText(ports map[string]int) string {
	var texts []string
	for _, name := range slices.Sorted(maps.Keys(ports)) {
		texts = append(texts, fmt.Sprintf("%s=%d", name, ports[name]))
	}
	return strings.Join(texts, " ")
}

// eventRows are events as lines: when, of which service, what, and why.
func eventRows(events []service.Event, named bool) [][]string {
	var rows [][]string
	for _, e := range events {
		rows = append(rows, eventRow(e, named))
	}
	return rows
}

func eventRow(e service.Event, named bool) []string {
	row := []string{clock(e.At)}
	if named {
		row = append(row, e.Coordinate)
	}
	return append(row, string(e.Type), eventText(e))
}

// eventText says what there is to an event beside its type.
func eventText(e service.Event) string {
	var facts []string
	if e.PID != nil {
		facts = append(facts, "pid "+strconv.Itoa(*e.PID))
	}
	if end := endText(e.Code, e.Signal); end != "" {
		facts = append(facts, end)
	}
	text := strings.Join(facts, ", ")
	if text != "" && e.Why != "" {
		text += ": "
	}
	text += e.Why
	if e.By != "" {
		text += ", by " + e.By
	}
	return text
}
