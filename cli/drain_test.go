package cli

import (
	"testing"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/quantity"
	"github.com/cloudname/nodee/runtime/service"
)

func TestDrainPatience(t *testing.T) {
	spec := func(grace, drain time.Duration, deps ...service.Coordinate) api.Service {
		return api.Service{Spec: &service.Spec{
			Stop: service.Stop{Grace: quantity.Duration(grace)}, Drain: &service.Drain{Timeout: quantity.Duration(drain)}, DependsOn: deps,
		}}
	}
	for _, tt := range []struct {
		name     string
		services []api.Service
		want     time.Duration
	}{
		{"nothing to drain", nil, wishSlack},
		{"all at the same time", []api.Service{spec(time.Second, time.Minute), spec(5*time.Second, 0)}, 61*time.Second + wishSlack},
		{"one after the other", []api.Service{spec(time.Second, time.Minute), spec(5*time.Second, 0, service.Coordinate{})}, 66*time.Second + wishSlack},
		{"those of jobs may be moved first", []api.Service{{Owner: "job:web.borud.fbu"}}, 10*time.Minute + wishSlack},
		{"never more than a request may wait", []api.Service{spec(0, 2*time.Hour), spec(0, time.Hour, service.Coordinate{})}, maxWait},
	} {
		if got := drainPatience(tt.services); got != tt.want {
			t.Errorf("%s: %s, want %s", tt.name, got, tt.want)
		}
	}
}
