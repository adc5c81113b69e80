package service

import (
	"fmt"
	"path/filepath"

	"github.com/cloudname/nodee/internal/document"
)

// Access says what a service may touch beyond the least.
type Access struct {
	Confine       bool     `json:"confine"`        // it writes its own folders only, temporary ones, devices, and Write
	Write         []string `json:"write"`          // files and folders, absolute
	NewPrivileges bool     `json:"new_privileges"` // setuid programs give it what they give to others
}

// DefaultAccess is what a service may whose spec says nothing about it.
func DefaultAccess() Access { return Access{Confine: true, Write: []string{}} }

func readAccess(r *document.Reader, a *Access) {
	r.Truth("confine", &a.Confine)
	r.Texts("write", &a.Write)
	r.Truth("new_privileges", &a.NewPrivileges)
	r.Finish()
	for i, path := range a.Write {
		at := fmt.Sprintf("write[%d]", i)
		switch {
		case !filepath.IsAbs(path):
			r.Fault(at, path, "must be an absolute path; templates are not filled in here")
		case filepath.Clean(path) == "/":
			r.Fault(at, path, "would be everything; set confine = false for that")
		default:
			a.Write[i] = filepath.Clean(path)
		}
	}
}
