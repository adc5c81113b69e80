package process

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// scene is where a process tries to get out: the folders of a prefix and some beside it.
type scene struct {
	prefix string // software/g/a/1.0/{prog,conf/text}, state/token, logs/{mine,other}, runtime/{mine,other}
	beside string // a folder that has nothing to do with it
	daemon int    // who has started the process
}

func (s scene) software() string { return filepath.Join(s.prefix, "software/g/a/1.0") }
func (s scene) prog() string     { return filepath.Join(s.software(), "prog") }
func (s scene) mine(name string) string {
	return filepath.Join(s.prefix, "runtime/mine", name)
}

// attempt is something that a process tries. It says in its error why it could not.
type attempt struct {
	name string
	try  func(s scene) error
}

// onNames are ways to change a file by its name, wherever that is.
func onNames(what string, file func(s scene) string) []attempt {
	one := func(name string, try func(s scene, file string) error) attempt {
		return attempt{what + ": " + name, func(s scene) error { return try(s, file(s)) }}
	}
	return []attempt{
		one("write", func(_ scene, f string) error { return openTo(f, unix.O_WRONLY|unix.O_APPEND) }),
		one("write and truncate", func(_ scene, f string) error { return openTo(f, unix.O_RDWR|unix.O_TRUNC) }),
		one("truncate", func(_ scene, f string) error { return unix.Truncate(f, 0) }),
		one("unlink", func(_ scene, f string) error { return unix.Unlink(f) }),
		one("make beside", func(_ scene, f string) error { return openTo(f+".new", unix.O_WRONLY|unix.O_CREAT) }),
		one("make a folder beside", func(_ scene, f string) error { return unix.Mkdir(f+".d", 0o755) }),
		one("make a fifo beside", func(_ scene, f string) error { return unix.Mkfifo(f+".p", 0o644) }),
		one("link symbolically beside", func(_ scene, f string) error { return unix.Symlink("/etc/passwd", f+".l") }),
		one("rename beside", func(_ scene, f string) error { return unix.Rename(f, f+".r") }),
		one("take away", func(s scene, f string) error { return unix.Rename(f, s.mine("taken")) }),
		one("exchange", func(s scene, f string) error {
			own := must(s.mine("swap"))
			return unix.Renameat2(unix.AT_FDCWD, own, unix.AT_FDCWD, f, unix.RENAME_EXCHANGE)
		}),
		one("replace", func(s scene, f string) error { return unix.Rename(must(s.mine("evil")), f) }),
		one("link into it", func(s scene, f string) error { return unix.Link(must(s.mine("evil2")), f+".h") }),
		one("write through a link to it", func(s scene, f string) error {
			if err := unix.Link(f, s.mine("hard")); err != nil {
				return err
			}
			return openTo(s.mine("hard"), unix.O_WRONLY|unix.O_APPEND)
		}),
		one("write through a symbolic link", func(s scene, f string) error {
			os.Remove(s.mine("soft"))
			if err := unix.Symlink(f, s.mine("soft")); err != nil {
				panic(err)
			}
			return openTo(s.mine("soft"), unix.O_WRONLY|unix.O_APPEND)
		}),
		one("write through /proc/self/root", func(_ scene, f string) error { return openTo("/proc/self/root"+f, unix.O_WRONLY) }),
		one("write through /proc/1/root", func(_ scene, f string) error { return openTo("/proc/1/root"+f, unix.O_WRONLY) }),
		one("write through the daemon's root", func(s scene, f string) error {
			return openTo(fmt.Sprintf("/proc/%d/root%s", s.daemon, f), unix.O_WRONLY)
		}),
		one("reopen a descriptor", func(_ scene, f string) error {
			fd, err := unix.Open(f, unix.O_RDONLY, 0)
			if err != nil {
				return err
			}
			defer unix.Close(fd)
			return openTo("/proc/self/fd/"+strconv.Itoa(fd), unix.O_WRONLY)
		}),
		one("write in its folder as working directory", func(_ scene, f string) error {
			defer unix.Chdir("/")
			if err := unix.Chdir(filepath.Dir(f)); err != nil {
				return err
			}
			return openTo(filepath.Base(f), unix.O_WRONLY)
		}),
	}
}

// onTheWay are ways to put something else where the software is, or it somewhere else.
var onTheWay = []attempt{
	{"rename the folder of a version", func(s scene) error { return unix.Rename(s.software(), s.software()+".x") }},
	{"rename software", func(s scene) error { return unix.Rename(s.prefix+"/software", s.prefix+"/soft") }},
	{"rename the prefix", func(s scene) error { return unix.Rename(s.prefix, s.prefix+".x") }},
	{"rename what the prefix is in", func(s scene) error { return unix.Rename(filepath.Dir(s.prefix), filepath.Dir(s.prefix)+".x") }},
	{"make something beside the prefix", func(s scene) error { return unix.Mkdir(s.prefix+".y", 0o755) }},
	{"mount over software", func(s scene) error { return unix.Mount("none", s.prefix+"/software", "tmpfs", 0, "") }},
	{"bind software elsewhere and write", func(s scene) error {
		if err := unix.Mount(s.software(), s.mine("folder"), "", unix.MS_BIND, ""); err != nil {
			return err
		}
		return openTo(s.mine("folder/prog"), unix.O_WRONLY)
	}},
	{"bind own over software", func(s scene) error {
		return unix.Mount(s.mine("folder"), s.software(), "", unix.MS_BIND, "")
	}},
	{"remount", func(s scene) error { return unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, "") }},
	{"mount in a namespace of its own", func(s scene) error {
		if err := unix.Unshare(unix.CLONE_NEWNS); err != nil {
			return err
		}
		return unix.Mount("none", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	}},
	{"mount as root of a user namespace", func(s scene) error {
		attr := &syscall.ProcAttr{Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}}}}
		pid, err := syscall.ForkExec("/bin/mount", []string{"mount", "--bind", s.mine("folder"), s.software()}, attr)
		if err != nil {
			return err
		}
		var status unix.WaitStatus
		if _, err := unix.Wait4(pid, &status, 0, nil); err != nil {
			return err
		}
		if status.ExitStatus() != 0 {
			return unix.EPERM // says mount, in words
		}
		return nil
	}},
	{"write through a mount that is attached nowhere", func(s scene) error {
		fd, err := unix.OpenTree(unix.AT_FDCWD, s.software(), unix.OPEN_TREE_CLONE)
		if err != nil {
			return err
		}
		_, err = unix.Openat(fd, "prog", unix.O_WRONLY, 0)
		return err
	}},
	{"write by a handle, without a name", func(s scene) error {
		handle, _, err := unix.NameToHandleAt(unix.AT_FDCWD, s.prog(), 0)
		if err != nil {
			return err
		}
		root, err := unix.Open(s.prefix, unix.O_RDONLY|unix.O_DIRECTORY, 0)
		if err != nil {
			return err
		}
		fd, err := unix.OpenByHandleAt(root, handle, unix.O_WRONLY)
		if err == nil {
			unix.Close(fd)
		}
		return err
	}},
	{"make a node for the disk", func(s scene) error {
		var st unix.Stat_t
		if err := unix.Stat(s.prefix, &st); err != nil {
			return err
		}
		return unix.Mknod(s.mine("disk"), unix.S_IFBLK|0o600, int(st.Dev))
	}},
	{"write in a root of its own", func(s scene) error {
		// Last: there is no way back.
		if err := unix.Chroot(s.prefix + "/software"); err != nil {
			return err
		}
		return openTo("/g/a/1.0/prog", unix.O_WRONLY)
	}},
}

// onTheDaemon are ways to have the daemon do it.
var onTheDaemon = []attempt{
	{"trace the daemon", func(s scene) error { return unix.PtraceSeize(s.daemon) }},
	{"write the daemon's memory", func(s scene) error {
		return openTo(fmt.Sprintf("/proc/%d/mem", s.daemon), unix.O_WRONLY)
	}},
	{"take a descriptor of the daemon", func(s scene) error {
		p, err := unix.PidfdOpen(s.daemon, 0)
		if err != nil {
			return err
		}
		defer unix.Close(p)
		_, err = unix.PidfdGetfd(p, 2, 0)
		return err
	}},
	{"write where the daemon is", func(s scene) error {
		return openTo(fmt.Sprintf("/proc/%d/cwd/escaped", s.daemon), unix.O_WRONLY|unix.O_CREAT)
	}},
	{"write the daemon's memory from its own", func(s scene) error {
		b := []byte{0}
		_, _, errno := unix.Syscall6(unix.SYS_PROCESS_VM_WRITEV, uintptr(s.daemon), uintptr(unsafe.Pointer(&unix.Iovec{Base: &b[0], Len: 1})), 1,
			uintptr(unsafe.Pointer(&unix.Iovec{Base: &b[0], Len: 1})), 1, 0)
		if errno != 0 {
			return errno
		}
		return nil
	}},
}

// allowed is what a process may do, confined or not.
var allowed = []attempt{
	{"make and write in its own folder", func(s scene) error { return openTo(s.mine("new"), unix.O_WRONLY|unix.O_CREAT) }},
	{"rename between two of its folders", func(s scene) error {
		if err := unix.Mkdir(s.mine("two"), 0o755); err != nil {
			return err
		}
		return unix.Rename(must(s.mine("folder/a")), s.mine("two/b"))
	}},
	{"link between two of its folders", func(s scene) error { return unix.Link(s.mine("two/b"), s.mine("folder/c")) }},
	{"remove what is its own", func(s scene) error { return os.RemoveAll(s.mine("two")) }},
	{"listen at a socket", func(s scene) error {
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		// By a short way: the name of a socket has few characters.
		if err := unix.Chdir(s.mine("")); err != nil {
			return err
		}
		return unix.Bind(fd, &unix.SockaddrUnix{Name: "sock"})
	}},
	{"write its log by name", func(s scene) error { return openTo(s.prefix+"/logs/mine/stdout.log", unix.O_WRONLY|unix.O_APPEND) }},
	{"write its log as /dev/stderr", func(scene) error { return openTo("/dev/stderr", unix.O_WRONLY|unix.O_APPEND) }},
	{"truncate its log", func(s scene) error { return unix.Truncate(s.prefix+"/logs/mine/stderr.log", 0) }},
	{"write /dev/null", func(scene) error { return openTo("/dev/null", unix.O_WRONLY) }},
	{"write in /dev/shm", func(s scene) error {
		name := fmt.Sprintf("/dev/shm/nodee-test-%d", os.Getpid())
		if err := openTo(name, unix.O_WRONLY|unix.O_CREAT); err != nil {
			return err
		}
		return unix.Unlink(name)
	}},
	{"write what was asked for", func(s scene) error { return openTo(s.prefix+"/asked/new", unix.O_WRONLY|unix.O_CREAT) }},
	{"read software", func(s scene) error { return openTo(s.prog(), unix.O_RDONLY) }},
	{"run a program", func(scene) error {
		pid, err := syscall.ForkExec("/bin/true", []string{"true"}, &syscall.ProcAttr{})
		if err != nil {
			return err
		}
		_, err = unix.Wait4(pid, nil, 0, nil)
		return err
	}},
}

// confinedOnly is what only a process that is not confined may do.
var confinedOnly = slices.Concat(
	onNames("beside the prefix", func(s scene) string { return s.beside + "/file" })[:1],
	[]attempt{
		{"make beside the prefix", func(s scene) error { return openTo(s.beside+"/new", unix.O_WRONLY|unix.O_CREAT) }},
		{"write in the folder of another", func(s scene) error { return openTo(s.prefix+"/runtime/other/file", unix.O_WRONLY) }},
		{"take from another", func(s scene) error { return unix.Rename(s.prefix+"/runtime/other/file2", s.mine("stolen")) }},
		{"write what is writable in /proc", func(scene) error { return openTo("/proc/self/comm", unix.O_WRONLY) }},
	})

// never is what no process may do.
var never = slices.Concat(
	onNames("software", scene.prog),
	onNames("a file further down", func(s scene) string { return s.software() + "/conf/text" }),
	onNames("the daemon's state", func(s scene) string { return s.prefix + "/state/token" }),
	onNames("the log of another", func(s scene) string { return s.prefix + "/logs/other/stdout.log" }),
	onNames("its own log's folder", func(s scene) string { return s.prefix + "/logs/mine/stdout.log.1" }),
	[]attempt{{"unlink its own log", func(s scene) error { return unix.Unlink(s.prefix + "/logs/mine/stdout.log") }}},
	onTheDaemon, onTheWay,
)

// openTo opens a file and closes it again.
func openTo(path string, flags int) error {
	fd, err := unix.Open(path, flags|unix.O_CLOEXEC|unix.O_NONBLOCK, 0o644)
	if err == nil {
		unix.Close(fd)
	}
	return err
}

// must makes a file of the process's own, and returns its name.
func must(path string) string {
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		panic(err)
	}
	return path
}
