// Package client talks to a daemon over REST: the command line and tests are made of it.
//
// Each call answers with the typed value and with the bytes as they came, so that a program
// can pass an answer on as it is. Errors are of three sorts: a *Problem is what the daemon
// refuses or fails at, an *Unreachable says that no daemon could be asked or that it was cut
// off, a *Foreign that somebody else answers there.
//
// It starts no goroutines of its own; net/http has some for each connection that is kept,
// which Close ends. It refuses to follow redirects, which no daemon sends and which would
// carry the token along, to set a limit of time of its own (end the context), and to try
// anything twice: whether that is safe is the caller's to know.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/internal/fault"
)

// Config says which daemon to talk to, and as whom.
type Config struct {
	Addr  string // its URL, such as "http://127.0.0.1:7040"
	Token string // "": none is sent
	Agent string // what the caller calls itself, for the daemon's history: "nodee/1.2"

	// Hint is what an Unreachable tells a person to look at; "": what there is to say of a node.
	Hint string

	// Outdated is told since when an answer may be out of date, where it says so; nil: nobody is.
	// It is called before the call returns, in its goroutine.
	Outdated func(since time.Time)

	// Files in PEM, for https: the authority that signed the daemon's certificate, where
	// that is none of the host's, and the client's own certificate and key.
	CA, Cert, Key string

	HTTP *http.Client // nil: one is made; else the files are not looked at
}

// Client talks to one daemon. It is safe for concurrent use.
type Client struct {
	base  string // without a slash at its end
	token string
	agent string
	hint  string
	old   func(since time.Time)
	http  *http.Client
}

const nodeHint = "is nodee agent running there? --addr or NODEE_ADDR names another one"

// Answer is what a call answers.
type Answer[T any] struct {
	Value  T
	Raw    []byte // the body as it came
	Status int    // of HTTP: 201 where something was made
}

const (
	dialTimeout = 10 * time.Second
	maxAnswer   = 256 << 20 // of an answer that is read whole, in bytes
)

// New makes a client. It does not connect yet.
func New(cfg Config) (*Client, error) {
	u, err := url.Parse(cfg.Addr)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Hostname() == "" ||
		u.User != nil || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fault.New(fault.Invalid, "address", "%q is no address of a daemon: give a URL such as http://127.0.0.1:7040", cfg.Addr)
	}
	c := &Client{base: u.Scheme + "://" + u.Host, token: cfg.Token, agent: cfg.Agent, hint: cmp.Or(cfg.Hint, nodeHint), old: cfg.Outdated, http: cfg.HTTP}
	if c.http != nil {
		return c, nil
	}
	security, err := cfg.tls()
	if err != nil {
		return nil, err
	}
	c.http = &http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment, // never for loopback
			DialContext:         (&net.Dialer{Timeout: dialTimeout}).DialContext,
			TLSClientConfig:     security,
			TLSHandshakeTimeout: dialTimeout,
			ForceAttemptHTTP2:   true,
			IdleConnTimeout:     time.Minute,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Addr returns the daemon's URL.
func (c *Client) Addr() string { return c.base }

// Close ends connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }

func (cfg Config) tls() (*tls.Config, error) {
	conf := &tls.Config{MinVersion: tls.VersionTLS12}
	if cfg.CA != "" {
		pem, err := os.ReadFile(cfg.CA)
		if err != nil {
			return nil, fault.New(fault.Invalid, "tls", "cannot read the certificate of the authority: %w", err)
		}
		conf.RootCAs = x509.NewCertPool()
		if !conf.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fault.New(fault.Invalid, "tls", "cannot use %s: it holds no certificate in PEM", cfg.CA)
		}
	}
	if cfg.Cert != "" || cfg.Key != "" {
		own, err := tls.LoadX509KeyPair(cfg.Cert, cfg.Key)
		if err != nil {
			return nil, fault.New(fault.Invalid, "tls", "cannot use the certificate %q with the key %q: %w", cfg.Cert, cfg.Key, err)
		}
		conf.Certificates = []tls.Certificate{own}
	}
	return conf, nil
}

// request is what is asked for.
type request struct {
	method, path string
	query        url.Values
	body         any // sent as JSON; nil: none
	accept       string
	resume       string // the last event that was received
	match        string // the version that is meant, in quotes
}

// send sends a request, and returns the answer if it is a success of the type accept.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	req, err := c.build(ctx, r)
	if err != nil {
		return nil, err
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if since, err := time.Parse(time.RFC3339, res.Header.Get(api.AsOfHeader)); err == nil && c.old != nil {
		c.old(since)
	}
	if err := c.judge(ctx, res, r.accept); err != nil {
		res.Body.Close()
		return nil, err
	}
	return res, nil
}

func (c *Client) build(ctx context.Context, r request) (*http.Request, error) {
	target := c.base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	var body io.Reader
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return nil, fmt.Errorf("cannot write the request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, body)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", jsonMedia)
	}
	if r.accept != "" {
		req.Header.Set("Accept", r.accept)
	}
	if r.resume != "" {
		req.Header.Set("Last-Event-ID", r.resume)
	}
	if r.match != "" {
		req.Header.Set("If-Match", r.match)
	}
	if c.agent != "" {
		req.Header.Set("User-Agent", c.agent)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	return req, nil
}

// The media types of answers.
const (
	jsonMedia    = "application/json"
	problemMedia = "application/problem+json"
	eventsMedia  = "text/event-stream"
	textMedia    = "text/plain"
)

// judge returns nil when an answer is a success of the type that was asked for.
func (c *Client) judge(ctx context.Context, res *http.Response, accept string) error {
	media, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type"))
	switch {
	case media == problemMedia:
		raw, err := c.readAll(ctx, res)
		if err != nil {
			return err
		}
		return c.problem(res, raw)
	case res.StatusCode == http.StatusNoContent:
		return nil
	case res.StatusCode/100 != 2 || media != accept:
		return &Foreign{Addr: c.base, Status: res.StatusCode, Media: media}
	}
	return nil
}

func (c *Client) readAll(ctx context.Context, res *http.Response) ([]byte, error) {
	raw, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	if err != nil {
		return nil, c.cutOff(ctx, err)
	}
	if len(raw) > maxAnswer {
		return nil, fmt.Errorf("cannot use the answer of %s: it has more than %d bytes", c.base, maxAnswer)
	}
	return raw, nil
}

// call sends a request and reads the answer whole.
func call[T any](ctx context.Context, c *Client, r request) (Answer[T], error) {
	r.accept = jsonMedia
	res, err := c.send(ctx, r)
	if err != nil {
		return Answer[T]{}, err
	}
	defer res.Body.Close()
	a := Answer[T]{Status: res.StatusCode}
	if a.Raw, err = c.readAll(ctx, res); err != nil {
		return Answer[T]{}, err
	}
	if res.StatusCode == http.StatusNoContent {
		return a, nil
	}
	if err := json.Unmarshal(a.Raw, &a.Value); err != nil {
		return Answer[T]{}, fmt.Errorf("cannot read the answer of %s: %w", c.base, err)
	}
	return a, nil
}
