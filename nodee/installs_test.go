package nodee

import "testing"

func TestAnInstallThatEndsLeavesTheNextAlone(t *testing.T) {
	i := installs{under: map[string]*install{}}
	ended := false
	first, next := &install{1, func() {}}, &install{1, func() { ended = true }}
	i.begin("a", first)
	i.begin("a", next)
	i.end("a", first)
	if ended || i.run("a") != 1 {
		t.Errorf("the next one for the same run was ended: %v, under way: %d", ended, i.run("a"))
	}
	i.cancel("a", 2)
	if i.cancel("a", 1); !ended || i.run("a") != 0 {
		t.Errorf("cancelled, and ended: %v, under way: %d", ended, i.run("a"))
	}
}
