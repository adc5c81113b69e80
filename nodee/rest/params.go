package rest

import (
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

// ServicePath is the part of a path that names a service.
type ServicePath struct {
	Coordinate service.Coordinate `path:"coordinate" doc:"instance.service.user.cell" example:"1.web.borud.fbu"`
}

// ArtifactPath is the part of a path that names an installed artifact.
type ArtifactPath struct {
	Group   string `path:"group" example:"com.example"`
	Name    string `path:"name" example:"web"`
	Version string `path:"version" doc:"version, or version@classifier" example:"1.2.0"`
}

// Waiting is whether and how long a request waits for what it asked for.
type Waiting struct {
	Wait Wait `query:"wait" doc:"Answer when it has come true, at the latest after this time; at most 1h" example:"30s"`
}

// maxWait is the longest that a request may wait: so long no connection is sure to last.
const maxWait = time.Hour

// Wait is how long a caller wants to wait, if at all.
type Wait struct {
	limit time.Duration
	given bool
}

// UnmarshalText reads a duration of at most an hour.
func (w *Wait) UnmarshalText(text []byte) error {
	d, err := quantity.ParseDuration(string(text))
	if err != nil {
		return err
	}
	if d.Std() > maxWait {
		return fmt.Errorf("%q is longer than %s, the longest that a request waits", text, quantity.Duration(maxWait))
	}
	*w = Wait{limit: d.Std(), given: true}
	return nil
}

// optional is a parameter that knows whether it was given, where 0 differs from nothing.
type optional[T any] struct {
	value T
	given bool
}

// Schema, Receiver and OnParamSet are what huma asks a parameter of a type it does not know.
func (optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

func (o *optional[T]) Receiver() reflect.Value { return reflect.ValueOf(&o.value).Elem() }

func (o *optional[T]) OnParamSet(given bool, _ any) { o.given = given }
