package rest

import (
	"context"
	"fmt"
	"net/http"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/artifact"
	"github.com/cloudname/nodee/internal/edge"
	"github.com/cloudname/nodee/internal/fault"
)

func artifactRoutes(node Artifacts) []edge.Entry {
	a := artifacts{node}
	tags := []string{"artifacts"}
	const all, one = "/v1/artifacts", "/v1/artifacts/{group}/{name}/{version}"
	return []edge.Entry{
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: all, Access: edge.Write, ID: "install-artifact", Tags: tags,
			Summary:     "Install an artifact",
			Description: "Answers when it is there: 201 when this request put it there, 200 when it was there before.",
			Status:      http.StatusCreated, Also: []int{http.StatusOK},
			Problems: []fault.Kind{fault.NotFound, fault.Conflict, fault.Upstream, fault.Full},
		}, a.install),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: all, Access: edge.Read, ID: "list-artifacts", Tags: tags,
			Summary: "List what is installed",
		}, a.list),
		edge.Answer(edge.Route{
			Method: http.MethodGet, Path: one, Access: edge.Read, ID: "get-artifact", Tags: tags,
			Summary: "Show an installed artifact", Problems: []fault.Kind{fault.NotFound},
		}, a.get),
		edge.Answer(edge.Route{
			Method: http.MethodDelete, Path: one, Access: edge.Write, ID: "remove-artifact", Tags: tags,
			Summary:     "Remove an artifact",
			Description: "One that a service names, also a stopped one, stays: 409.",
			Problems:    []fault.Kind{fault.NotFound, fault.Conflict},
		}, a.remove),
		edge.Answer(edge.Route{
			Method: http.MethodPost, Path: one + "/verify", Access: edge.Write, ID: "verify-artifact", Tags: tags,
			Summary: "Compare an artifact with the manifest that was written when it was installed", Problems: []fault.Kind{fault.NotFound},
		}, a.verify),
	}
}

type artifacts struct{ node Artifacts }

type installIn struct{ Body api.Install }

func (a artifacts) install(ctx context.Context, in *installIn) (*answer[api.Artifact], error) {
	if err := checkInstall(in.Body); err != nil {
		return nil, err
	}
	got, made, err := a.node.InstallArtifact(ctx, in.Body)
	if err != nil {
		return nil, err
	}
	return &answer[api.Artifact]{created(made), got}, nil
}

// checkInstall finds every fault that can be seen in the request itself.
func checkInstall(in api.Install) error {
	var faults []fault.Field
	if _, err := artifact.ParseRef(in.Artifact); err != nil {
		faults = append(faults, fault.Field{Location: "body.artifact", Message: err.Error(), Value: in.Artifact})
	}
	if in.SHA256 != "" {
		if _, err := artifact.ParseSHA256(in.SHA256); err != nil {
			faults = append(faults, fault.Field{Location: "body.sha256", Message: err.Error(), Value: in.SHA256})
		}
	}
	return fault.Fields(fmt.Sprintf("cannot install %q", in.Artifact), faults)
}

type artifactsIn struct{ edge.Known }

func (a artifacts) list(ctx context.Context, in *artifactsIn) (*edge.List[api.Artifacts], error) {
	return edge.Unless(ctx, in.Known, a.node.ArtifactsVersion(), func() (api.Artifacts, error) {
		return api.Artifacts{Artifacts: some(a.node.Artifacts())}, nil
	})
}

func (a artifacts) get(_ context.Context, in *ArtifactPath) (*answer[api.Artifact], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	got, err := a.node.Artifact(id)
	return &answer[api.Artifact]{Body: got}, err
}

func (a artifacts) remove(ctx context.Context, in *ArtifactPath) (*struct{}, error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	return nil, a.node.RemoveArtifact(ctx, id)
}

func (a artifacts) verify(ctx context.Context, in *ArtifactPath) (*answer[api.Verification], error) {
	id, err := in.id()
	if err != nil {
		return nil, err
	}
	got, err := a.node.VerifyArtifact(ctx, id)
	got.Faults = some(got.Faults)
	return &answer[api.Verification]{Body: got}, err
}

// id reads what the path names.
func (p ArtifactPath) id() (artifact.ID, error) {
	id, err := artifact.ParseID(p.Group, p.Name, p.Version)
	if err == nil {
		return id, nil
	}
	where, value := p.wrong()
	return id, fault.Fields("cannot look for the artifact", []fault.Field{{Location: where, Message: err.Error(), Value: value}})
}

// wrong finds the first part that is at fault, by trying it beside others that are not.
func (p ArtifactPath) wrong() (location, value string) {
	if _, err := artifact.ParseID(p.Group, "x", "1"); err != nil {
		return "path.group", p.Group
	}
	if _, err := artifact.ParseID("x", p.Name, "1"); err != nil {
		return "path.name", p.Name
	}
	return "path.version", p.Version
}
