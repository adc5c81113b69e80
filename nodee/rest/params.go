package rest

import "github.com/cloudname/nodee/runtime/service"

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
