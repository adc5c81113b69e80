package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// adopt prints how many of the recorded processes are still the same.
func adopt(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	same := 0
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		var note struct {
			PID   int    `json:"pid"`
			Began uint64 `json:"began"`
		}
		if err := json.Unmarshal(b, &note); err != nil {
			return err
		}
		if _, err := unix.PidfdOpen(note.PID, 0); err != nil {
			return err
		}
		began, err := beganOf(note.PID)
		if err != nil {
			return err
		}
		if began == note.Began {
			same++
		}
	}
	fmt.Println(same)
	return nil
}

// beganOf reads when a process began, in ticks since the host's start.
func beganOf(pid int) (uint64, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	text := string(b)
	fields := strings.Fields(text[strings.LastIndexByte(text, ')')+1:])
	return strconv.ParseUint(fields[19], 10, 64)
}
