package client_test

import (
	"testing"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

func TestResolve(t *testing.T) {
	n, c := newClient(t)
	e, err := service.ParseExpression("http.any.web.borud.fbu")
	if err != nil {
		t.Fatal(err)
	}
	if got := must[api.Endpoints](t, 200)(c.Resolve(t.Context(), e, "")); got.Endpoints == nil || len(got.Endpoints) != 0 {
		t.Errorf("nothing found: %+v", got)
	}
	at := api.Endpoint{Coordinate: web.String(), Name: "http", Host: "n1", Port: 31000, Protocol: "http"}
	n.Find(at)
	if got := must[api.Endpoints](t, 200)(c.Resolve(t.Context(), e, "me & you")); len(got.Endpoints) != 1 || got.Endpoints[0] != at {
		t.Errorf("got %+v", got)
	}
	if got, want := n.Calls()[1], "Resolve http.any.web.borud.fbu for me & you"; got != want {
		t.Errorf("the call is %q, want %q", got, want)
	}
	s, err := c.FollowResolve(t.Context(), e, "me")
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, want := range []int{1, 0} {
		got, raw, err := s.Next()
		if err != nil || len(got.Endpoints) != want {
			t.Fatalf("%+v, %s, %v; want %d endpoints", got, raw, err, want)
		}
		n.Find()
	}
	n.Fail("Resolve", fault.New(fault.Unavailable, "zookeeper-unavailable", "cannot resolve it"))
	_, err = c.FollowResolve(t.Context(), e, "me")
	problem(t, err, fault.Unavailable)
}
