package document

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// keysOnce tells of the first key of a JSON document that its table has already. Of two values Go
// takes the last in silence, where TOML and YAML refuse them: one of the two was not meant.
func keysOnce(data []byte) error {
	d := json.NewDecoder(bytes.NewReader(data))
	var open []map[string]bool // the keys of each table or list around, nil of a list
	key := false               // a key is what comes next, or the end of a table
	for {
		token, err := d.Token()
		if err != nil {
			return nil // the end; what is broken was told before
		}
		switch token {
		case json.Delim('{'):
			open = append(open, map[string]bool{})
			key = true
			continue
		case json.Delim('['):
			open = append(open, nil)
			key = false
			continue
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		default:
			if name, ok := token.(string); key && ok {
				keys := open[len(open)-1]
				if keys[name] {
					return again(data[:d.InputOffset()], name)
				}
				keys[name], key = true, false
				continue
			}
		}
		key = len(open) > 0 && open[len(open)-1] != nil // a value has ended
	}
}

// again says where a key stands that is there already; before ends with it.
func again(before []byte, name string) error {
	return fmt.Errorf("line %d: key %q is already defined", bytes.Count(before, []byte("\n"))+1, name)
}
