package discovery

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/runtime/service"
	"github.com/cloudname/nodee/zkschema"
)

func web(i int32) service.Coordinate {
	return service.Coordinate{Instance: i, Service: "web", User: "borud", Cell: "fbu"}
}

// runs makes an instance with ports by name; endpoints are at the host n<instance>.
func runs(i int32, ports map[string]int) Instance {
	return Instance{web(i), zkschema.Endpoints(web(i), fmt.Sprint("n", i), ports)}
}

func parse(t testing.TB, s string) service.Expression {
	t.Helper()
	e, err := service.ParseExpression(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// line writes endpoints as tests compare them.
func line(endpoints []api.Endpoint) string {
	var all []string
	for _, e := range endpoints {
		all = append(all, fmt.Sprintf("%s %s %s://%s:%d", e.Coordinate, e.Name, e.Protocol, e.Host, e.Port))
	}
	return strings.Join(all, ", ")
}

func TestChoose(t *testing.T) {
	api := Instance{service.Coordinate{Instance: 1, Service: "api", User: "borud", Cell: "fbu"}, zkschema.Endpoints(web(1), "n9", map[string]int{"http": 9})}
	running := []Instance{runs(10, map[string]int{"http": 80}), runs(9, nil), api, runs(2, map[string]int{"https": 443, "admin": 81})}
	for _, c := range []struct{ why, expression, want string }{
		{"every endpoint of every instance, by number, then by name", "all.web.borud.fbu",
			"2.web.borud.fbu admin tcp://n2:81, 2.web.borud.fbu https https://n2:443, 10.web.borud.fbu http http://n10:80"},
		{"only the endpoint that is named", "https.all.web.borud.fbu", "2.web.borud.fbu https https://n2:443"},
		{"only the instance that is named", "10.web.borud.fbu", "10.web.borud.fbu http http://n10:80"},
		{"that instance does not have the endpoint", "https.10.web.borud.fbu", ""},
		{"that instance does not run", "3.web.borud.fbu", ""},
		{"any is one that has the endpoint", "http.any.web.borud.fbu", "10.web.borud.fbu http http://n10:80"},
		{"no instance has it", "ftp.any.web.borud.fbu", ""},
		{"nobody can be sent to one without endpoints", "9.web.borud.fbu", ""},
		{"another service is none of it", "all.none.borud.fbu", ""},
	} {
		got := choose(parse(t, c.expression), "client", running)
		if got == nil || line(got) != c.want {
			t.Errorf("%s: %s is %q, want %q", c.why, c.expression, line(got), c.want)
		}
	}
}

// Any is one instance with all its endpoints. A client stays where it is when others go,
// moves to no other than one that has come, and is back where it was when its own is back.
func TestAnyIsStable(t *testing.T) {
	any := parse(t, "any.web.borud.fbu")
	rapid.Check(t, func(t *rapid.T) {
		client := rapid.String().Draw(t, "client")
		numbers := rapid.SliceOfNDistinct(rapid.Int32Min(0), 2, 20, rapid.ID).Draw(t, "instances")
		var running []Instance
		for _, i := range numbers {
			running = append(running, runs(i, map[string]int{"http": 1, "admin": 2}))
		}
		pick := func(from []Instance) string {
			got := choose(any, client, from)
			if len(got) != 2 || got[0].Coordinate != got[1].Coordinate {
				t.Fatalf("any of %d is %s", len(from), line(got))
			}
			return got[0].Coordinate
		}
		before := pick(running)
		if again := pick(rapid.Permutation(running).Draw(t, "in another order")); again != before {
			t.Fatalf("it is %s in one order, %s in another", before, again)
		}
		gone := rapid.IntRange(0, len(running)-1).Draw(t, "goes")
		var left []Instance
		for n, i := range running {
			if n != gone {
				left = append(left, i)
			}
		}
		after := pick(left)
		if was := running[gone].Coordinate.String(); was != before && after != before {
			t.Fatalf("%s goes: the client moves from %s to %s", was, before, after)
		}
		if back := pick(append(left, running[gone])); back != before {
			t.Fatalf("%s is back: the client is at %s, and was at %s", running[gone].Coordinate, back, before)
		}
	})
}

func TestClientsSpread(t *testing.T) {
	any := parse(t, "http.any.web.borud.fbu")
	var running []Instance
	for i := range int32(4) {
		running = append(running, runs(i, map[string]int{"http": 1}))
	}
	count := map[string]int{}
	for i := range 4000 {
		count[choose(any, fmt.Sprint("10.0.0.", i), running)[0].Coordinate]++
	}
	for c, n := range count {
		if n < 900 || n > 1100 {
			t.Errorf("%s has %d of 4000 clients, want about 1000", c, n)
		}
	}
}
