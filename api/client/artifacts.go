package client

import (
	"context"
	"net/url"

	"github.com/cloudname/nodee/api"
	"github.com/cloudname/nodee/artifact"
)

// InstallArtifact installs an artifact and waits for that. Status is 201 when it was not
// there before.
func (c *Client) InstallArtifact(ctx context.Context, in api.Install) (Answer[api.Artifact], error) {
	return call[api.Artifact](ctx, c, request{method: "POST", path: "/v1/artifacts", body: in})
}

// Artifacts lists what is installed.
func (c *Client) Artifacts(ctx context.Context) (Answer[api.Artifacts], error) {
	return call[api.Artifacts](ctx, c, request{method: "GET", path: "/v1/artifacts"})
}

// Artifact shows an installed artifact.
func (c *Client) Artifact(ctx context.Context, id artifact.ID) (Answer[api.Artifact], error) {
	return call[api.Artifact](ctx, c, request{method: "GET", path: artifactPath(id)})
}

// RemoveArtifact removes an artifact that no service names.
func (c *Client) RemoveArtifact(ctx context.Context, id artifact.ID) error {
	_, err := call[struct{}](ctx, c, request{method: "DELETE", path: artifactPath(id)})
	return err
}

// VerifyArtifact compares an artifact with its manifest.
func (c *Client) VerifyArtifact(ctx context.Context, id artifact.ID) (Answer[api.Verification], error) {
	return call[api.Verification](ctx, c, request{method: "POST", path: artifactPath(id) + "/verify"})
}

func artifactPath(id artifact.ID) string {
	return "/v1/artifacts/" + url.PathEscape(id.Group) + "/" + url.PathEscape(id.Name) + "/" + url.PathEscape(id.Folder())
}
