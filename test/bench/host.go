package main

import (
	"bufio"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// field reads a number behind a word at the start of a line: "Private_Dirty:   12 kB".
func field(file, word string) float64 {
	f, err := os.Open(file)
	if err != nil {
		return 0 // a process may be gone by now
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if rest, ok := strings.CutPrefix(s.Text(), word); ok {
			n, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			return n
		}
	}
	return 0
}

// privateKB is the memory that nobody shares with these processes.
func privateKB(pids []int) float64 {
	sum := 0.0
	for _, pid := range pids {
		file := fmt.Sprintf("/proc/%d/smaps_rollup", pid)
		sum += field(file, "Private_Clean:") + field(file, "Private_Dirty:")
	}
	return sum
}

// kernelKB is what the kernel itself has for processes, files and groups.
func kernelKB() float64 {
	sum := 0.0
	for _, word := range []string{"SUnreclaim:", "KernelStack:", "PageTables:", "SecPageTables:", "Percpu:"} {
		sum += field("/proc/meminfo", word)
	}
	return sum
}

func threads(pids []int) float64 {
	sum := 0.0
	for _, pid := range pids {
		sum += field(fmt.Sprintf("/proc/%d/status", pid), "Threads:")
	}
	return sum
}

// switches counts how often these processes were given and taken the processor.
func switches(pids []int) float64 {
	sum := 0.0
	for _, pid := range pids {
		tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		for _, t := range tasks {
			file := fmt.Sprintf("/proc/%d/task/%s/status", pid, t.Name())
			sum += field(file, "voluntary_ctxt_switches:") + field(file, "nonvoluntary_ctxt_switches:")
		}
	}
	return sum
}

// ticks is the processor time of one process, all threads, to a hundredth of a second.
func ticks(pid int) time.Duration {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(b[strings.LastIndexByte(string(b), ')')+1:]))
	user, _ := strconv.Atoi(fields[11])
	system, _ := strconv.Atoi(fields[12])
	return time.Duration(user+system) * 10 * time.Millisecond
}
