package confine

import (
	"errors"
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The rights that are taken from a process, and given back by rules.
const (
	onFiles = unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_TRUNCATE
	// Refer is the right to rename and link between two folders. It has to be taken and given
	// back: where it is not spoken of, the kernel refuses it everywhere.
	onFolders = onFiles | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_SYM |
		unix.LANDLOCK_ACCESS_FS_REFER
	// A node for a disk of one's own making would be a way around every name: nobody has this back.
	never = unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK
)

// The versions of Landlock that brought a right.
const (
	abiRefer    = 2
	abiTruncate = 3
)

// abi asks the kernel for its version of Landlock.
func abi() (int, error) {
	version, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(version), nil
	case unix.ENOSYS:
		return 0, errors.New("the kernel does not have it (Linux 5.13 and later may)")
	case unix.EOPNOTSUPP:
		return 0, errors.New("the kernel has it, but it is switched off; add landlock to lsm= on the kernel's command line")
	}
	return 0, fmt.Errorf("the kernel refuses it: %w", errno)
}

// known leaves of some rights those that a version of Landlock has.
func known(rights uint64, abi int) uint64 {
	if abi < abiRefer {
		rights &^= unix.LANDLOCK_ACCESS_FS_REFER
	}
	if abi < abiTruncate {
		rights &^= unix.LANDLOCK_ACCESS_FS_TRUNCATE
	}
	return rights
}

// makeRuleset makes one that takes every right and gives none back.
func makeRuleset(abi int) (int, error) {
	// The kernel's first version of the structure, which all know.
	attr := struct{ handledFS uint64 }{known(onFolders|never, abi)}
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr), 0)
	if errno != 0 {
		return -1, os.NewSyscallError("landlock_create_ruleset", errno)
	}
	return int(fd), nil // close-on-exec
}

// grant gives the rights back for what a descriptor stands for, and all below it.
func grant(ruleset, fd int, abi int) error {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return os.NewSyscallError("fstat", err)
	}
	rights := uint64(onFiles)
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		rights = onFolders
	}
	attr := unix.LandlockPathBeneathAttr{Allowed_access: known(rights, abi), Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(ruleset), unix.LANDLOCK_RULE_PATH_BENEATH,
		uintptr(unsafe.Pointer(&attr)), 0, 0, 0)
	return os.NewSyscallError("landlock_add_rule", errnoErr(errno))
}

func errnoErr(errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return errno
}
