package anchor

import "os"

// self is the very program that runs, whatever has become of its file.
const self = "/proc/self/exe"

// Program returns the path of the program that runs: where the next one is to be found, also
// when that is another file by now.
func Program() string {
	if mark.Path != "" {
		return mark.Path
	}
	return program()
}

// program returns the path by which the program was called, links on the way to it and all:
// somebody may set one to a newer version. Where that does not lead to the program, it is
// what the kernel says.
func program() string {
	real, err := os.Stat(self)
	if err == nil {
		for _, path := range candidates(os.Args[0]) {
			if info, err := os.Stat(path); err == nil && os.SameFile(info, real) {
				return path
			}
		}
	}
	if path, err := os.Executable(); err == nil {
		return path
	}
	return self
}

// candidates are the absolute paths that the name of a program may stand for.
func candidates(name string) (paths []string) {
	slash := false
	for i := range len(name) {
		slash = slash || name[i] == '/'
	}
	switch {
	case name == "":
		return nil
	case name[0] == '/':
		return []string{name}
	case slash:
		dir, err := os.Getwd()
		if err != nil {
			return nil
		}
		return []string{dir + "/" + name}
	}
	for list := os.Getenv("PATH") + ":"; list != ""; {
		end := 0
		for list[end] != ':' {
			end++
		}
		if end > 0 && list[0] == '/' {
			paths = append(paths, list[:end]+"/"+name)
		}
		list = list[end+1:]
	}
	return paths
}
