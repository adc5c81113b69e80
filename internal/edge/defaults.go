package edge

import "reflect"

// refuseBodyDefaults panics when the body of an input has a default: tag anywhere. huma
// fills a default in wherever it finds a zero value, so that an explicit false or 0 is
// taken for nothing said.
func refuseBodyDefaults[In any]() {
	in := reflect.TypeFor[In]()
	if in.Kind() != reflect.Struct {
		return // huma says it better
	}
	if body, ok := in.FieldByName("Body"); ok {
		if field := fieldWithDefault(body.Type, map[reflect.Type]bool{}); field != "" {
			panic("edge: " + in.String() + ": the tag default: of " + field + " would overwrite an explicit false or 0")
		}
	}
}

// fieldWithDefault returns the first field below t that has a default: tag.
func fieldWithDefault(t reflect.Type, seen map[reflect.Type]bool) string {
	switch t.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return fieldWithDefault(t.Elem(), seen)
	case reflect.Struct:
		if seen[t] {
			return ""
		}
		seen[t] = true
		for f := range t.Fields() {
			if _, ok := f.Tag.Lookup("default"); ok {
				return t.String() + "." + f.Name
			}
			if name := fieldWithDefault(f.Type, seen); name != "" {
				return name
			}
		}
	}
	return ""
}
