package layers

import (
	"slices"
	"strings"
)

// layerOf finds the layer of a package, nil if it has none.
func (c *checker) layerOf(at string) *Layer {
	for i, layer := range c.house.Layers {
		if slices.ContainsFunc(layer.Rooms, func(room string) bool {
			below, all := strings.CutSuffix(room, "/...")
			return at == below || all && isBelow(at, below)
		}) {
			return &c.house.Layers[i]
		}
	}
	return nil
}

func isBelow(at, folder string) bool { return at == folder || strings.HasPrefix(at, folder+"/") }

// layersPointDown holds the table itself to what it is for: a layer stands on layers before
// it, and a room is in one layer.
func (c *checker) layersPointDown() {
	const table = "test/layers/layers.go"
	var before []string
	rooms := map[string]string{}
	for _, layer := range c.house.Layers {
		for _, on := range layer.On {
			if !slices.Contains(before, on) {
				c.say(0, table, "the layer %q stands on %q, which is not below it", layer.Name, on)
			}
		}
		for _, room := range layer.Rooms {
			if other, ok := rooms[room]; ok {
				c.say(0, table, "%s is in two layers, %q and %q", room, other, layer.Name)
			}
			rooms[room] = layer.Name
		}
		before = append(before, layer.Name)
	}
}

// imports refuses imports that lead up, sideways, or where they never may.
func (c *checker) imports(layer *Layer, at string, f *file) {
	for _, spec := range f.ast.Imports {
		imported, line := importPath(spec), f.line(spec.Pos())
		if slices.Contains(layer.Shuns, imported) {
			c.say(line, f.path, "imports %s, which the layer %q does without: do this in a package above it", imported, layer.Name)
		}
		to, own := strings.CutPrefix(imported, c.house.Module+"/")
		if !own {
			continue
		}
		for _, never := range c.house.Nevers {
			if isBelow(at, never.From) && isBelow(to, never.To) {
				c.say(line, f.path, "%s never imports %s: %s", never.From, never.To, never.Why)
			}
		}
		if fault := direction(layer, c.layerOf(to)); fault != "" {
			c.say(line, f.path, "imports %s, %s", to, fault)
		}
	}
}

// direction says what is wrong with an import from one layer to another, "" if nothing is.
func direction(from, to *Layer) string {
	switch {
	case to == nil:
		return "which has no layer"
	case from == to && !from.Inside:
		return "its neighbour in the layer \"" + from.Name + "\": declare what you need as an interface, or move what both need down"
	case from != to && !slices.Contains(from.On, to.Name):
		return "but the layer \"" + from.Name + "\" may not import \"" + to.Name + "\": declare what you need as an interface, or move it down"
	}
	return ""
}
