package cli

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
)

// writeTable writes rows below a header, in columns.
func writeTable(w io.Writer, header []string, rows [][]string) error {
	return writeColumns(w, append([][]string{header}, rows...), "")
}

// writePage writes names and what they are, one pair a line. A value may have more lines.
func writePage(w io.Writer, pairs [][2]string) error {
	var rows [][]string
	for _, p := range pairs {
		rows = append(rows, []string{p[0], p[1]})
	}
	return writeColumns(w, rows, "  ")
}

func writeColumns(w io.Writer, rows [][]string, indent string) error {
	t := tabwriter.NewWriter(w, 0, 0, 3, ' ', 0)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			cells[i] = printable(cell)
			if cells[i] == "" {
				cells[i] = "-"
			}
		}
		fmt.Fprintln(t, indent+strings.Join(cells, "\t"))
	}
	return t.Flush()
}

// printable makes s one line that cannot do anything to a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, s)
}

// shortText cuts s to at most n characters.
func shortText(s string, n int) string {
	if runes := []rune(s); len(runes) > n {
		return strings.TrimSpace(string(runes[:n-1])) + "…"
	}
	return s
}

// length writes a length of time in its two largest units: "3m12s", "5h10m", "2d3h".
func length(d time.Duration) string {
	d = max(d, 0).Truncate(time.Second)
	s, m, h, days := int(d.Seconds())%60, int(d.Minutes())%60, int(d.Hours())%24, int(d.Hours())/24
	switch {
	case days > 0:
		return fmt.Sprintf("%dd%dh", days, h)
	case h > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}

// size writes a number of bytes for people: "12 B", "3.4 MiB".
func size(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%d B", n)
	}
	f, unit := float64(n), 0
	for f >= 1024 && unit < len(sizeUnits) {
		f /= 1024
		unit++
	}
	return fmt.Sprintf("%.1f %s", f, sizeUnits[unit-1])
}

var sizeUnits = []string{"KiB", "MiB", "GiB", "TiB"}

// count writes how many things there are: "1 file", "2 files".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// clock writes a moment as the caller's clock shows it.
func clock(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
