package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// state is what of this process a plugin could leave behind.
type state struct {
	descriptors int
	bpf         int // descriptors of BPF objects
	foreign     int // threads that block all signals, which Go's own never do
}

func takeState() state {
	var now state
	entries, _ := filepath.Glob("/proc/self/fd/*")
	now.descriptors = len(entries)
	for _, entry := range entries {
		if target, err := os.Readlink(entry); err == nil && strings.HasPrefix(target, "anon_inode:bpf") {
			now.bpf++
		}
	}
	statuses, _ := filepath.Glob("/proc/self/task/*/status")
	for _, path := range statuses {
		if text, err := os.ReadFile(path); err == nil && blocksAll(string(text)) {
			now.foreign++
		}
	}
	return now
}

// blocksAll looks for SIGURG (23), with which Go wakes its threads up, and SIGTERM (15) among the blocked.
func blocksAll(status string) bool {
	_, rest, found := strings.Cut(status, "SigBlk:\t")
	var mask uint64
	if !found {
		return false
	}
	if _, err := fmt.Sscanf(rest, "%x", &mask); err != nil {
		return false
	}
	return mask&(1<<22) != 0 && mask&(1<<14) != 0
}

// leaks says what is there that was not there `before`, given a moment to go; descriptors are compared when that
// was taken after a whole life.
func leaks(before state, warm bool) string {
	var now state
	for i := 0; i < 100; i++ {
		now = takeState()
		if now.bpf == 0 && now.foreign == 0 && (!warm || now.descriptors <= before.descriptors) {
			return ""
		}
		time.Sleep(20 * time.Millisecond)
	}
	return fmt.Sprintf("%d BPF objects, %d threads, descriptors %d (before: %d)", now.bpf, now.foreign,
		now.descriptors, before.descriptors)
}
