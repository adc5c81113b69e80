package edge

import (
	"encoding/json"
	"net/http"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"sync"

	"github.com/danielgtaylor/huma/v2"
)

const (
	jsonMedia   = "application/json"
	eventsMedia = "text/event-stream"
	textMedia   = "text/plain"

	tokenScheme = "token"
	schemas     = "#/components/schemas/"
)

// humaConfig switches off what huma adds of its own: routes for documents and schemas, and
// $schema in answers.
func (a *API) humaConfig(cfg Config) huma.Config {
	return huma.Config{
		OpenAPI: &huma.OpenAPI{
			OpenAPI: "3.1.0",
			Info:    &huma.Info{Title: cfg.Title, Version: cfg.Version},
			Components: &huma.Components{
				Schemas: huma.NewMapRegistry(schemas, huma.DefaultSchemaNamer),
				SecuritySchemes: map[string]*huma.SecurityScheme{
					tokenScheme: {Type: "http", Scheme: "bearer", Description: "The daemon's token. Without it the values of env read ***."},
				},
			},
			OnAddOperation: []huma.AddOpFunc{a.document},
		},
		Formats:       map[string]huma.Format{jsonMedia: jsonFormat, "json": jsonFormat},
		DefaultFormat: jsonMedia,
	}
}

// addSpec registers the document, which is made when it is first asked for.
func (a *API) addSpec() {
	a.spec = sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	a.Add(Plain(Route{
		Method: http.MethodGet, Path: "/openapi.json", Access: Public, Produces: jsonMedia,
		ID: "get-openapi", Summary: "This document", Tags: []string{"about"},
	}, http.HandlerFunc(a.serveSpec)))
}

func (a *API) serveSpec(w http.ResponseWriter, _ *http.Request) {
	doc, err := a.spec()
	if err != nil {
		panic(err)
	}
	w.Header().Set("Content-Type", jsonMedia)
	_, _ = w.Write(doc)
}

// document completes what huma has found out about an operation.
func (a *API) document(doc *huma.OpenAPI, op *huma.Operation) {
	b := bindingOf(op)
	op.Extensions = map[string]any{"x-nodee-access": b.Access.String()}
	op.Security = a.security(b.Access)
	documentPathParams(op, b)
	if b.Body != nil {
		a.documentBody(doc, op, b)
	}
	documentSuccess(op, b)
	if b.unbuilt {
		op.Responses = map[string]*huma.Response{}
	}
	a.documentProblems(doc, op, b)
}

// security says whether a route needs the token, may have it, or does not look at it.
func (a *API) security(access Access) []map[string][]string {
	token, none := map[string][]string{tokenScheme: {}}, map[string][]string{}
	switch {
	case access == Public:
		return []map[string][]string{}
	case access >= a.needs:
		return []map[string][]string{token}
	}
	return []map[string][]string{none, token}
}

var pathParam = regexp.MustCompile(`\{([^}:]+)[^}]*\}`)

// documentPathParams names the parameters of a path that huma knows nothing of. Where there
// is an input it must know them: huma passes over an embedded struct that is not exported.
func documentPathParams(op *huma.Operation, b binding) {
	for _, found := range pathParam.FindAllStringSubmatch(op.Path, -1) {
		named := func(p *huma.Param) bool { return p.In == "path" && p.Name == found[1] }
		if slices.ContainsFunc(op.Parameters, named) {
			continue
		}
		if !b.noInput {
			panic("edge: route " + b.Method + " " + b.Path + ": its input has no exported field for {" + found[1] + "}")
		}
		op.Parameters = append(op.Parameters, &huma.Param{
			Name: found[1], In: "path", Required: true, Schema: &huma.Schema{Type: huma.TypeString},
		})
	}
}

// newInputs makes a registry for bodies that handlers decode themselves. The same types may
// be in answers, where every key is there; whoever sends one may leave out what has a default.
func newInputs() huma.Registry {
	return huma.NewMapRegistry(schemas, func(t reflect.Type, hint string) string {
		return huma.DefaultSchemaNamer(t, hint) + "Input"
	})
}

// documentBody describes a body that a handler decodes itself.
func (a *API) documentBody(doc *huma.OpenAPI, op *huma.Operation, b binding) {
	schema, ok := b.Body.(*huma.Schema)
	if !ok {
		schema = a.inputs.Schema(reflect.TypeOf(b.Body), true, b.ID)
		for name, s := range a.inputs.Map() {
			s.Required = nil
			doc.Components.Schemas.Map()[name] = s
		}
	}
	types := b.BodyTypes
	if len(types) == 0 {
		types = []string{jsonMedia}
	}
	op.RequestBody.Content = map[string]*huma.MediaType{}
	for _, media := range types {
		op.RequestBody.Content[media] = &huma.MediaType{Schema: schema}
	}
}

// documentSuccess adds what huma cannot see in an output: other media types and statuses.
func documentSuccess(op *huma.Operation, b binding) {
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	success := op.Responses[strconv.Itoa(op.DefaultStatus)]
	if success.Content == nil && op.DefaultStatus != http.StatusNoContent {
		media := textMedia
		if b.Produces != "" {
			media = b.Produces
		}
		success.Content = map[string]*huma.MediaType{media: text}
		if media == jsonMedia {
			success.Content[media] = &huma.MediaType{Schema: &huma.Schema{}}
		}
	}
	if b.alsoEvents {
		success.Content[eventsMedia] = text
	}
	for _, status := range b.Also {
		also := *success
		also.Description = http.StatusText(status)
		if status == http.StatusNoContent {
			also.Content = nil
		}
		op.Responses[strconv.Itoa(status)] = &also
	}
	if op.Method == http.MethodGet && slices.ContainsFunc(op.Parameters, func(p *huma.Param) bool { return p.Name == "If-None-Match" }) {
		op.Responses["304"] = &huma.Response{Description: "Nothing has changed since the version in If-None-Match"}
	}
}

// documentProblems says which problems a route may answer with.
func (a *API) documentProblems(doc *huma.OpenAPI, op *huma.Operation, b binding) {
	statuses := []int{http.StatusForbidden}
	if b.Access > Public && a.needs != nobody {
		statuses = append(statuses, http.StatusUnauthorized)
	}
	if op.RequestBody != nil {
		statuses = append(statuses, http.StatusBadRequest, http.StatusRequestEntityTooLarge, http.StatusUnsupportedMediaType)
	}
	if op.RequestBody != nil || len(op.Parameters) > 0 {
		statuses = append(statuses, http.StatusUnprocessableEntity)
	}
	if b.unbuilt {
		statuses = append(statuses, http.StatusNotImplemented)
	}
	for _, kind := range b.Problems {
		statuses = append(statuses, kinds[kind])
	}
	content := map[string]*huma.MediaType{
		problemMedia: {Schema: doc.Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "")},
	}
	for _, status := range statuses {
		op.Responses[strconv.Itoa(status)] = &huma.Response{Description: http.StatusText(status), Content: content}
	}
	op.Responses["default"] = &huma.Response{Description: "A problem", Content: content}
}
