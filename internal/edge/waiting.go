package edge

import (
	"fmt"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/cloudname/nodee/internal/quantity"
)

// Waiting is embedded in the input of a request that may wait for what it asks for.
type Waiting struct {
	Wait Wait `query:"wait" doc:"Answer when it has come true, at the latest after this time; at most 1h" example:"30s"`
}

// maxWait is the longest that a request may wait: so long no connection is sure to last.
const maxWait = time.Hour

// Wait is how long a caller wants to wait, if at all.
type Wait struct {
	Limit time.Duration
	Given bool
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
	*w = Wait{Limit: d.Std(), Given: true}
	return nil
}

// Optional is a parameter that knows whether it was given, where 0 differs from nothing.
type Optional[T any] struct {
	Value T
	Given bool
}

// Schema, Receiver and OnParamSet are what huma asks a parameter of a type it does not know.
func (Optional[T]) Schema(r huma.Registry) *huma.Schema {
	return huma.SchemaFromType(r, reflect.TypeFor[T]())
}

// Receiver is where huma puts the value.
func (o *Optional[T]) Receiver() reflect.Value { return reflect.ValueOf(&o.Value).Elem() }

// OnParamSet is told whether there was one.
func (o *Optional[T]) OnParamSet(given bool, _ any) { o.Given = given }
