package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/job"
)

// planRows is how many changes of instances a plan shows to people. The rest is counted.
const planRows = 40

// writePlan tells what would become of the instances of a job.
func writePlan(w io.Writer, name job.Name, p api.JobPlan) error {
	if _, err := fmt.Fprintln(w, planHeadline(name, p)); err != nil {
		return err
	}
	if p.Failed != "" {
		if _, err := fmt.Fprintf(w, "  nodee job restart %[1]s tries it again, nodee job revert %[1]s VERSION goes back to one of nodee job history %[1]s\n", name); err != nil {
			return err
		}
	}
	shown := p.Changes[:min(len(p.Changes), planRows)]
	if err := writeColumns(w, changeRows(shown), "  "); err != nil {
		return err
	}
	if more := len(p.Changes) - len(shown); more > 0 {
		if _, err := fmt.Fprintf(w, "  and %s more, as -o json shows\n", count(more, "change")); err != nil {
			return err
		}
	}
	for _, line := range pendingLines(p.Pending) {
		if _, err := fmt.Fprintln(w, printable(line)); err != nil {
			return err
		}
	}
	return nil
}

// planHeadline sums a plan up.
func planHeadline(name job.Name, p api.JobPlan) string {
	text := name.String()
	switch {
	case p.Failed != "":
		text += printable(fmt.Sprintf(" says this already, and version %d has failed (%s)", p.Version, p.Failed))
		if len(p.Changes) == 0 {
			return text + ": nothing would change"
		}
	case p.ChangesNothing && len(p.Changes) == 0:
		return fmt.Sprintf("%s says this already (version %d): nothing would change", name, p.Version)
	case p.ChangesNothing:
		return fmt.Sprintf("%s says this already (version %d), and is on its way there: %s", name, p.Version, changeCounts(p.Changes))
	case p.Version == 0:
		text += " is new"
	default:
		text += fmt.Sprintf(" is at version %d", p.Version)
	}
	if len(p.Changes) == 0 {
		return text + ": no instance would change"
	}
	return text + ": " + changeCounts(p.Changes)
}

// changeCounts counts changes by kind: "2 would start, 1 would move".
func changeCounts(changes []api.PlanChange) string {
	counts := map[string]int{}
	for _, c := range changes {
		counts[c.Kind]++
	}
	var texts []string
	for _, kind := range []struct{ kind, does string }{
		{api.ChangeStart, "start"}, {api.ChangeStop, "stop"}, {api.ChangeMove, "move"}, {api.ChangeUpdate, "be updated"},
	} {
		if n := counts[kind.kind]; n > 0 {
			texts = append(texts, fmt.Sprintf("%d would %s", n, kind.does))
		}
	}
	return strings.Join(texts, ", ")
}

func changeRows(changes []api.PlanChange) [][]string {
	var rows [][]string
	for _, c := range changes {
		rows = append(rows, []string{c.Kind, c.Instance, whereText(c), c.Why})
	}
	return rows
}

// whereText tells where a change happens.
func whereText(c api.PlanChange) string {
	switch {
	case c.From == "":
		return "on " + c.To
	case c.To == "" || c.To == c.From:
		return "on " + c.From
	}
	return c.From + " to " + c.To
}

// pendingLines tell which instances there is no node for, why, and what would help.
func pendingLines(p *api.Pending) []string {
	if p == nil {
		return nil
	}
	lines := []string{pendingHeadline(p)}
	for _, r := range p.Reasons {
		lines = append(lines, "  "+count(r.Nodes, "node")+": "+r.Text)
	}
	if p.Nearest != "" {
		lines = append(lines, "  what would help: "+p.Nearest)
	}
	return lines
}

func pendingHeadline(p *api.Pending) string {
	if len(p.Reasons) == 0 {
		return "there is no node for " + count(p.Instances, "instance") + ": the cell has none"
	}
	return "there is no node for " + count(p.Instances, "instance") + ":"
}

// pendingShort is the same in one line: the first reason stands for all.
func pendingShort(p *api.Pending) string {
	text := strings.TrimSuffix(pendingHeadline(p), ":")
	if len(p.Reasons) > 0 {
		text += " (" + p.Reasons[0].Text + ")"
	}
	return text
}
