package settings

import "strings"

// nearest finds the known name that somebody who wrote name may have meant: the same in
// another case, the same key of another table, or at most two letters away. "" is none.
func nearest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		d := distance(strings.ToLower(name), k)
		if last(k) == last(name) && k != name {
			d = min(d, 2)
		}
		if d < least {
			best, least = k, d
		}
	}
	return best
}

func last(name string) string { return name[strings.LastIndex(name, ".")+1:] }

// distance counts the letters to insert, remove or replace between a and b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replace := diagonal
			if a[i] != b[j] {
				replace++
			}
			diagonal = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
