package cli

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
)

// client makes the client of the node that the global flags name.
func (a *app) client() (*client.Client, error) {
	if a.node != nil {
		return a.node, nil
	}
	c, err := a.connect(a.global.address(), "")
	a.node = c
	return c, err
}

// connect makes a client of a daemon; hint is what to look at when it is not there.
func (a *app) connect(addr, hint string) (*client.Client, error) {
	t, err := a.global.findToken()
	if err != nil {
		return nil, err
	}
	g := &a.global
	c, err := client.New(client.Config{Addr: addr, Token: t.text, Agent: "nodee/" + a.Version, CA: g.tlsCA, Cert: g.tlsCert, Key: g.tlsKey, Hint: hint, Outdated: a.outdated})
	if err != nil {
		return nil, err
	}
	a.asked, a.token = append(a.asked, c), t
	return c, nil
}

// outdated says once that what follows is what a coordinator knew at that time.
func (a *app) outdated(since time.Time) {
	if a.outdatedAt.Swap(since.Unix()) != since.Unix() {
		fmt.Fprintf(a.Err, "as of %s: the coordinator has had no connection to ZooKeeper since\n", clock(since))
	}
}

// address is the daemon's URL. What is given without a scheme is plain HTTP.
func (g *globalFlags) address() string {
	return asURL(cmp.Or(g.addr, os.Getenv("NODEE_ADDR"), defaultAddr))
}

func asURL(addr string) string {
	if !strings.Contains(addr, "://") {
		addr = "http://" + addr
	}
	return strings.TrimSuffix(addr, "/")
}

// show shows an answer: to people by page, to programs as it came. err is what went wrong
// on the way to it.
func show[T any](a *app, got client.Answer[T], err error, page func(T) error) error {
	if err != nil {
		return err
	}
	if !a.global.json() {
		return page(got.Value)
	}
	_, err = a.Out.Write(got.Raw)
	return err
}

// say tells people that something is done. Programs go by the exit code.
func (a *app) say(format string, args ...any) error {
	if a.global.json() {
		return nil
	}
	_, err := fmt.Fprintf(a.Out, format, args...)
	return err
}

// tell tells what went wrong, each fault on a line of its own. With -o json a problem goes
// to standard output as it came, too.
func (a *app) tell(err error) {
	p, isProblem := errors.AsType[*client.Problem](err)
	if isProblem && a.global.json() {
		// What cannot be written any more cannot be told about, either.
		_, _ = a.Out.Write(p.Raw)
	}
	fmt.Fprintln(a.Err, "nodee:", printableLines(errorText(err)))
	for _, f := range fieldsOf(err) {
		fmt.Fprintln(a.Err, " ", printable(faultText(f)))
	}
	if isProblem && p.Status == http.StatusUnauthorized {
		fmt.Fprintln(a.Err, " ", printable(a.token.advice(a.asked[len(a.asked)-1].Addr())))
	}
}

// faultText tells one fault: where it is, what is wrong, and what was given there.
func faultText(f fault.Field) string {
	return strings.TrimPrefix(f.Location, "body.") + ": " + f.Message + given(f)
}

// given tells what was given where a fault is, if that is short and not told already.
func given(f fault.Field) string {
	switch f.Value.(type) {
	case string, bool, float64, json.Number:
		if text := fmt.Sprint(f.Value); !mentions(f.Message, text) {
			return fmt.Sprintf(" (given: %s)", shortText(text, whyWidth))
		}
	}
	return ""
}

// mentions tells whether a word, or several, stand in a text by themselves: 0 does not in 100.
func mentions(text, words string) bool {
	found, err := regexp.MatchString(`(^|\W)`+regexp.QuoteMeta(words)+`(\W|$)`, text)
	return found && err == nil
}

// errorText is what to say of err, without its faults.
func errorText(err error) string {
	if p, ok := errors.AsType[*client.Problem](err); ok && error(p) == err {
		return p.Detail
	}
	return fault.Headline(err)
}

// fieldsOf are the faults of an input, whoever has found them.
func fieldsOf(err error) []fault.Field {
	if p, ok := errors.AsType[*client.Problem](err); ok {
		return p.Errors
	}
	return fault.FieldsOf(err)
}

// printableLines is printable for texts that have lines.
func printableLines(s string) string {
	lines := strings.Split(s, "\n")
	for i, line := range lines {
		lines[i] = printable(line)
	}
	return strings.Join(lines, "\n")
}
