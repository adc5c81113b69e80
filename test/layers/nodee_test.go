package layers

import (
	"os"
	"testing"
)

// TestNodee holds this module against its house.
func TestNodee(t *testing.T) {
	problems, err := Check(os.DirFS("../.."), Nodee)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Error(p)
	}
}
