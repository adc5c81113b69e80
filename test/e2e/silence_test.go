package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// silenceKernel is the argument with which the test binary executes what follows it on a
// kernel that does not tell how processes ended that are no children: as before Linux 6.15.
const silenceKernel = "silence-kernel"

// silenced refuses the question PIDFD_GET_INFO to this process and all that come after it,
// and executes a program.
func silenced(command []string) int {
	runtime.LockOSThread() // the filter is the thread's, which executes
	const (
		load  = unix.BPF_LD | unix.BPF_W | unix.BPF_ABS
		and   = unix.BPF_ALU | unix.BPF_AND | unix.BPF_K
		equal = unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K
		ret   = unix.BPF_RET | unix.BPF_K

		number  = 0  // where struct seccomp_data has the system call
		request = 24 // and the low half of its second argument
		getInfo = 0xff0b
	)
	filter := []unix.SockFilter{
		{Code: load, K: number},
		{Code: equal, K: unix.SYS_IOCTL, Jf: 4},
		{Code: load, K: request},
		{Code: and, K: 0xffff}, // the rest is a size, which grows
		{Code: equal, K: getInfo, Jf: 1},
		{Code: ret, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOTTY)},
		{Code: ret, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
	if err == nil {
		err = unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0)
	}
	if err == nil {
		err = syscall.Exec(command[0], command, os.Environ())
	}
	fmt.Fprintln(os.Stderr, "cannot execute with a silent kernel:", err)
	return 1
}

// silence makes the node's kernel silent from its next start on.
func (n *node) silence() {
	n.t.Helper()
	self, err := os.Executable()
	if err != nil {
		n.t.Fatal(err)
	}
	n.via = []string{self, silenceKernel}
}

// The filter does what the other tests take it for.
func TestASilentKernel(t *testing.T) {
	if os.Getenv("NODEE_E2E_ASK") != "" {
		fd, err := unix.PidfdOpen(os.Getpid(), 0)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		info := unix.PidfdInfo{Mask: unix.PIDFD_INFO_EXIT}
		if err := unix.IoctlPidfdInfo(fd, &info); err != unix.ENOTTY {
			t.Errorf("the kernel answers with %v; want %v", err, unix.ENOTTY)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self, silenceKernel, self, "-test.run=^TestASilentKernel$")
	cmd.Env = append(os.Environ(), "NODEE_E2E_ASK=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
