package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/uuid"

	"github.com/cloudname/nodee/internal/fault"
	"github.com/cloudname/nodee/internal/publish"
)

// Identity returns the id that makes this node the same one after a restart, whatever its
// name. It is kept in the folder state, and made where there is none.
func Identity(state string) (string, error) {
	path := filepath.Join(state, "identity")
	var id struct {
		ID string `json:"id"`
	}
	b, err := os.ReadFile(path)
	if err == nil {
		if err := json.Unmarshal(b, &id); err != nil || id.ID == "" {
			return "", fmt.Errorf("cannot read the node's identity: %s holds no id; restore it, or remove it to make the node a new one", path)
		}
		return id.ID, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("cannot read the node's identity: %w", err)
	}
	id.ID = uuid.NewString()
	if b, err = json.Marshal(id); err != nil {
		return "", err
	}
	return id.ID, fault.Disk(publish.Durable(path, append(b, '\n'), 0o600))
}
