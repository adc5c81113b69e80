package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// figure is what one quantity was in every run of one peer.
type figure []float64

func (f figure) min() float64 { return slices.Min(f) }
func (f figure) max() float64 { return slices.Max(f) }

func (f figure) median() float64 {
	sorted := slices.Sorted(slices.Values(f))
	if n := len(sorted); n%2 == 0 {
		return (sorted[n/2-1] + sorted[n/2]) / 2
	}
	return sorted[len(sorted)/2]
}

// quantile is the value that a share q of the samples does not exceed.
func quantile(samples []float64, q float64) float64 {
	sorted := slices.Sorted(slices.Values(samples))
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}

// table is what is shown of one quantity: a row a peer.
type table struct {
	title, unit, command string
	base                 string // the peer that ratios are to; empty: none
	peers                []string
	rows                 map[string]figure
	note                 string
}

func (t *table) add(peer string, value float64) {
	if t.rows == nil {
		t.rows = map[string]figure{}
	}
	if _, there := t.rows[peer]; !there {
		t.peers = append(t.peers, peer)
	}
	t.rows[peer] = append(t.rows[peer], value)
}

// write shows the table in Markdown. A ratio is that of the medians.
func (t *table) write(w io.Writer) {
	fmt.Fprintf(w, "### %s\n\n`%s`\n\n", t.title, t.command)
	base, hasBase := t.rows[t.base]
	head, line := "| who | min | median | max |", "|---|---:|---:|---:|"
	if hasBase {
		head, line = head+" of "+t.base+" |", line+"---:|"
	}
	fmt.Fprintln(w, strings.Replace(head, "who", t.unit, 1))
	fmt.Fprintln(w, line)
	for _, peer := range t.peers {
		f := t.rows[peer]
		fmt.Fprintf(w, "| %s | %s | %s | %s |", peer, digits(f.min()), digits(f.median()), digits(f.max()))
		if hasBase {
			fmt.Fprintf(w, " %.2f |", f.median()/base.median())
		}
		fmt.Fprintln(w)
	}
	if t.note != "" {
		fmt.Fprintf(w, "\n%s\n", t.note)
	}
	fmt.Fprintln(w)
}

// digits shows three that matter.
func digits(v float64) string {
	switch {
	case v == 0:
		return "0"
	case v >= 100 || v <= -100:
		return fmt.Sprintf("%.0f", v)
	case v >= 10:
		return fmt.Sprintf("%.1f", v)
	case v >= 1:
		return fmt.Sprintf("%.2f", v)
	}
	return fmt.Sprintf("%.3g", v)
}
