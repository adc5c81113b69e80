package rest

import (
	"context"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/coordinator/jobs"
	"github.com/cloudname/nodee/internal/document"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/zkschema"
)

func cellRoutes(c Coordinator) []edge.Entry {
	f := cellFace{c}
	tags := []string{"cell"}
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: "/v1/cell", Access: edge.Read, ID: "get-cell", Tags: tags,
			Summary: "Tell about the cell as a whole, and about the coordinator that answers",
		}, f.get),
		edge.Answer(edge.Route{
			Method: http.MethodPatch, Path: "/v1/cell", Access: edge.Write, ID: "change-cell", Tags: tags,
			Summary:     "Change the settings of the cell",
			Description: "While it is frozen the coordinators change nothing: what runs, runs on, and what ends there is not replaced elsewhere.",
			Problems:    []fault.Kind{fault.Conflict, fault.Unavailable}, Body: api.CellSettings{},
		}, f.change),
	}
}

// cellFace answers about the cell.
type cellFace struct{ Coordinator }

func (f cellFace) get(context.Context, *struct{}) (*answer[api.Cell], error) {
	return &answer[api.Cell]{Body: f.Cell()}, nil
}

type changeIn struct{ RawBody []byte }

func (f cellFace) change(ctx context.Context, in *changeIn) (*answer[api.Cell], error) {
	want, err := readSettings(in.RawBody)
	if err != nil {
		return nil, err
	}
	s, err := written(ctx, f.Coordinator, func(ctx context.Context, b jobs.Book) (zkschema.Settings, error) {
		return b.Freeze(ctx, want.Freeze, want.Why)
	})
	if err != nil {
		return nil, err
	}
	now := f.Cell()
	now.Freeze, now.Why, now.By, now.Since = s.Freeze, s.Why, s.By, &s.Since
	return &answer[api.Cell]{Body: now}, nil
}

// maxWhy is how long a reason may be, in bytes.
const maxWhy = 200

func readSettings(body []byte) (api.CellSettings, error) {
	var s api.CellSettings
	table, err := document.Parse(body, document.JSON, "the settings")
	if err != nil {
		return s, err
	}
	r := document.NewReader("body.", table)
	if !r.Has("freeze") {
		r.Fault("freeze", nil, "is needed: true or false")
	}
	r.Truth("freeze", &s.Freeze)
	r.Text("why", &s.Why)
	if len(s.Why) > maxWhy {
		r.Fault("why", nil, "must have at most %d bytes", maxWhy)
	}
	r.Finish("brake")
	return s, fault.Fields("cannot change the settings of the cell", r.Faults())
}
