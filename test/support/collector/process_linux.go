// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// CPU is CPU time of a process.
type CPU struct{ User, System time.Duration }

// Total is the CPU time in user and kernel mode.
func (c CPU) Total() time.Duration { return c.User + c.System }

// Sub returns the CPU time since an earlier reading.
func (c CPU) Sub(before CPU) CPU {
	return CPU{User: c.User - before.User, System: c.System - before.System}
}

// CPU returns the CPU time of the collector so far. Its total is exact; its two parts are the kernel's estimate.
func (c *Collector) CPU() (CPU, error) {
	// The CPU clock of another process, all of its threads included: CPUCLOCK_SCHED of the process id.
	clock := int32(^c.PID()<<3 | 2)
	var total unix.Timespec
	if err := unix.ClockGettime(clock, &total); err != nil {
		return CPU{}, fmt.Errorf("CPU clock of process %d: %w", c.PID(), err)
	}
	stat, err := os.ReadFile(c.proc("stat"))
	if err != nil {
		return CPU{}, err
	}
	// The process name may contain any character, so split after its closing parenthesis. utime and stime are fields 14 and
	// 15 of the line.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return CPU{}, fmt.Errorf("%s: %q", c.proc("stat"), stat)
	}
	user, errUser := strconv.ParseFloat(fields[11], 64)
	system, errSystem := strconv.ParseFloat(fields[12], 64)
	if errUser != nil || errSystem != nil {
		return CPU{}, fmt.Errorf("%s: %q", c.proc("stat"), stat)
	}
	all := time.Duration(total.Nano())
	inUser := time.Duration(float64(all) * user / max(1, user+system))
	return CPU{User: inUser, System: all - inUser}, nil
}

// Memory is the resident memory of a process in bytes. The part that is not anonymous are pages of files: the binary, which the
// kernel can reclaim, and the ring buffer.
type Memory struct{ Now, Peak, Anonymous uint64 }

func (m Memory) String() string {
	return fmt.Sprintf("%.1f MiB, %.1f of it anonymous", float64(m.Now)/(1<<20), float64(m.Anonymous)/(1<<20))
}

// Memory returns the resident memory of the collector.
func (c *Collector) Memory() (m Memory, err error) {
	for _, f := range []struct {
		key   string
		bytes *uint64
	}{{"VmRSS", &m.Now}, {"VmHWM", &m.Peak}, {"RssAnon", &m.Anonymous}} {
		kb, err := value(c.proc("status"), f.key)
		if err != nil {
			return m, err
		}
		*f.bytes = kb * 1024
	}
	return m, nil
}

// Held are the ids of the BPF objects that a process has open.
type Held struct{ Programs, Maps, Links []uint32 }

// Held returns the collector's BPF objects.
func (c *Collector) Held() (h Held, err error) {
	files, err := filepath.Glob(c.proc("fdinfo/*"))
	if err != nil {
		return h, err
	}
	seen := map[string]bool{}
	for _, file := range files {
		for key, ids := range map[string]*[]uint32{"link_id": &h.Links, "prog_id": &h.Programs, "map_id": &h.Maps} {
			id, err := value(file, key)
			unique := fmt.Sprint(key, id)
			if err != nil || seen[unique] {
				continue // another kind of file, or closed meanwhile
			}
			seen[unique] = true
			*ids = append(*ids, uint32(id))
		}
	}
	return h, nil
}

func (c *Collector) proc(name string) string {
	return filepath.Join("/proc", strconv.Itoa(c.PID()), name)
}

// value returns the number of a key in a file with lines such as "VmRSS:     1024 kB".
func value(file, key string) (uint64, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	for lines := bufio.NewScanner(bytes.NewReader(text)); lines.Scan(); {
		name, rest, _ := strings.Cut(lines.Text(), ":")
		if fields := strings.Fields(rest); name == key && len(fields) > 0 {
			return strconv.ParseUint(fields[0], 10, 64)
		}
	}
	return 0, fmt.Errorf("%s has no %s", file, key)
}
