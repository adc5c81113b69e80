package fault

import (
	"errors"
	"syscall"
)

// Disk marks an error that comes from a full disk, or a quota that is used up, as Full
// ("disk-full"). Any other it returns as it is.
func Disk(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return Mark(Full, "disk-full", err)
	}
	return err
}
