package nodee

import (
	"context"
	"slices"
	"strings"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/artifact/fetch"
	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/runtime/service"
)

// InstallArtifact fetches an artifact into the tree and tells whether it was not there before.
func (a *Agent) InstallArtifact(ctx context.Context, in api.Install) (api.Artifact, bool, error) {
	ref, err := artifact.ParseRef(in.Artifact)
	if err != nil {
		return api.Artifact{}, false, fault.Fields("the artifact cannot be installed",
			[]fault.Field{{Location: "body.artifact", Message: err.Error(), Value: in.Artifact}})
	}
	got, created, err := a.fetch.Install(ctx, fetch.Request{Ref: ref.For(platform()), Repository: in.Repository, SHA256: strings.ToLower(in.SHA256)})
	if err != nil {
		return api.Artifact{}, false, err
	}
	return artifactView(got, a.users()), created, nil
}

// Artifacts lists what is installed.
func (a *Agent) Artifacts() []api.Artifact {
	users := a.users()
	out := []api.Artifact{}
	for _, art := range a.tree.List() {
		out = append(out, artifactView(art, users))
	}
	return out
}

// ArtifactsVersion rises whenever Artifacts would answer something else.
func (a *Agent) ArtifactsVersion() string { return a.artifacts.Version() }

// Artifact returns one installed version.
func (a *Agent) Artifact(id artifact.ID) (api.Artifact, error) {
	art, ok := a.tree.Get(id)
	if !ok {
		return api.Artifact{}, fault.New(fault.NotFound, "artifact-not-found",
			"%s is not installed on this node; nodee artifact list shows what is", id)
	}
	return artifactView(art, a.users()), nil
}

// RemoveArtifact removes a version that no service names.
func (a *Agent) RemoveArtifact(ctx context.Context, id artifact.ID) error {
	a.useMu.Lock()
	defer a.useMu.Unlock()
	if users := a.holders(id); len(users) > 0 {
		return fault.New(fault.Conflict, "artifact-in-use", "cannot remove %s: it is needed by %s; remove the service first, or give it another artifact",
			id, strings.Join(users, ", "))
	}
	return a.tree.Remove(context.WithoutCancel(ctx), id) // a caller who leaves must not leave files behind
}

// holders tells who needs an artifact: services that name it, those whose run of an earlier
// spec still uses it, and the cell, if it will.
func (a *Agent) holders(id artifact.ID) []string {
	out := a.users()[id]
	art, ok := a.tree.Get(id)
	for _, d := range a.desires.All() {
		u := a.status(d.Coordinate)
		if name := d.Coordinate.String(); ok && u.Software == art.Path && !u.State.Settled() && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	if a.keeps(id) {
		out = append(out, "the assignment of the cell")
	}
	return out
}

// VerifyArtifact compares a version with its manifest.
func (a *Agent) VerifyArtifact(ctx context.Context, id artifact.ID) (api.Verification, error) {
	faults, err := a.tree.Verify(ctx, id)
	if err != nil {
		return api.Verification{}, err
	}
	v := api.Verification{OK: len(faults) == 0, Faults: []api.VerifyFault{}}
	for _, f := range faults {
		v.Faults = append(v.Faults, api.VerifyFault{Path: f.Path, Fault: f.Fault})
	}
	return v, nil
}

// users tells which services name each artifact, stopped ones too.
func (a *Agent) users() map[artifact.ID][]string {
	by := map[artifact.ID][]service.Coordinate{}
	for _, d := range a.desires.All() {
		if ref, err := artifact.ParseRef(d.Spec.Artifact); err == nil {
			id := ref.For(platform()).ID()
			by[id] = append(by[id], d.Coordinate)
		}
	}
	out := make(map[artifact.ID][]string, len(by))
	for id, coordinates := range by {
		slices.SortFunc(coordinates, service.Coordinate.Compare)
		for _, c := range coordinates {
			out[id] = append(out[id], c.String())
		}
	}
	return out
}

func artifactView(art artifact.Artifact, users map[artifact.ID][]string) api.Artifact {
	used := users[art.ID]
	if used == nil {
		used = []string{}
	}
	return api.Artifact{
		Artifact: art.ID.String(), Group: art.Group, Name: art.Name, Version: art.Version, Classifier: art.Classifier,
		Path: art.Path, SizeBytes: art.SizeBytes, Files: art.Files, SHA256: art.SHA256, Repository: art.Repository,
		InstalledAt: art.InstalledAt.UTC(), UsedBy: used,
	}
}
