package cli

import (
	"context"
	"errors"
	"net/http"

	"github.com/cloudname/nodee/api/client"
	"github.com/cloudname/nodee/internal/fault"
)

// The exit codes.
const (
	codeDone        = 0
	codeFailed      = 1
	codeUsage       = 2 // wrong usage, arguments, file or configuration
	codeNotFound    = 3
	codeConflict    = 4
	codeUnreachable = 5
	codeForbidden   = 6
)

// codeOf turns an error into an exit code. What a daemon refuses goes by its status: its
// 422 is not the 2 of a slip that was noticed here.
func codeOf(err error) int {
	if _, ok := errors.AsType[*wishError](err); ok || errors.Is(err, context.Canceled) {
		return codeFailed
	}
	if _, ok := errors.AsType[*client.Unreachable](err); ok {
		return codeUnreachable
	}
	if p, ok := errors.AsType[*client.Problem](err); ok {
		switch p.Status {
		case http.StatusNotFound:
			return codeNotFound
		case http.StatusConflict, http.StatusPreconditionFailed:
			return codeConflict
		case http.StatusUnauthorized, http.StatusForbidden:
			return codeForbidden
		}
		return codeFailed
	}
	switch fault.KindOf(err) {
	case fault.Invalid, fault.Malformed:
		return codeUsage
	case fault.NotFound:
		return codeNotFound
	case fault.Conflict:
		return codeConflict
	}
	return codeFailed
}

func isNotFound(err error) bool {
	p, ok := errors.AsType[*client.Problem](err)
	return ok && p.Status == http.StatusNotFound
}

// isAway tells whether nobody could be asked.
func isAway(err error) bool {
	_, ok := errors.AsType[*client.Unreachable](err)
	return ok
}

// decided tells whether a problem is the end of a wish that was waited for: it failed, or
// is not fulfilled in time.
func decided(p *client.Problem) bool {
	return p.Status == http.StatusGatewayTimeout || p.Status == http.StatusConflict && p.Slug() == "failed"
}
