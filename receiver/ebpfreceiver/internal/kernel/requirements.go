// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
)

// Requirements are what programs need from the kernel and from this process, in addition to what every program needs: Linux
// 5.10 and BTF.
type Requirements struct {
	// Capabilities are needed in the effective set.
	Capabilities []Capability
	// BTFPath names a file with the kernel's type information. Empty means the kernel's own.
	BTFPath string
	// Tracefs and Cgroup2 report that these file systems have to be mounted.
	Tracefs, Cgroup2 bool
}

// And returns the union of both.
func (r Requirements) And(other Requirements) Requirements {
	all := r
	all.Capabilities = slices.Clone(r.Capabilities)
	for _, c := range other.Capabilities {
		if !slices.Contains(all.Capabilities, c) {
			all.Capabilities = append(all.Capabilities, c)
		}
	}
	if all.BTFPath == "" {
		all.BTFPath = other.BTFPath
	}
	all.Tracefs = all.Tracefs || other.Tracefs
	all.Cgroup2 = all.Cgroup2 || other.Cgroup2
	return all
}

var (
	errNoTracefs = errors.New("no tracefs is mounted: `mount -t tracefs tracefs /sys/kernel/tracing`, or give the container the host's /sys/kernel/tracing")
	errNoCgroup2 = errors.New("no cgroup2 hierarchy is mounted: `mount -t cgroup2 none /sys/fs/cgroup` (/sys/fs/cgroup/unified beside a hierarchy of version 1), or give the container the host's /sys/fs/cgroup")
	errLockdown  = errors.New("the kernel is locked down for confidentiality, where eBPF programs cannot read its memory: boot with lockdown=integrity, or without lockdown= on the command line")
	errUserNS    = errors.New("this process is in a user namespace, where capabilities do not count for eBPF: run it in the host's (a privileged, not rootless container; hostUsers: true in Kubernetes)")
)

// oldestKernel is the oldest supported kernel.
var oldestKernel = Version{5, 10}

// kernelFeatures are the features that the programs need, by the version that introduced them.
var kernelFeatures = []struct {
	since Version
	name  string
}{
	{Version{5, 5}, "BTF tracepoints"},
	{Version{5, 8}, "the BPF ring buffer"},
	{Version{5, 8}, "CAP_BPF and CAP_PERFMON"},
	{Version{5, 8}, "BPF iterators"},
}

// initialUserNS is the target of the link /proc/self/ns/user in the host's user namespace (PROC_USER_INIT_INO).
const initialUserNS = "user:[4026531837]"

// Host is the host on which requirements are checked. Tests replace its fields.
type Host struct {
	// Root is the prefix of the paths of /proc and /sys.
	Root string
	// Release returns the kernel's release, as in "6.18.44-amd64".
	Release func() (string, error)
	// Capabilities returns the effective capabilities of this process.
	Capabilities func() (Capabilities, error)
	// MemlockUnlimited reports whether this process may lock any amount of memory.
	MemlockUnlimited func() bool
	// UnlimitMemlock removes the limit. It needs CAP_SYS_RESOURCE.
	UnlimitMemlock func() error
	// BPF and PerfEventOpen make these system calls with invalid arguments. They return nil if only the arguments were
	// refused.
	BPF, PerfEventOpen func() error
	// Inode returns the inode number of a file.
	Inode func(path string) (uint64, error)
}

// memlockCounts is the first kernel that does not count maps as locked memory.
var memlockCounts = Version{5, 11}

// LiftMemlock raises the limit of locked memory on kernels that count maps as locked memory.
func (h *Host) LiftMemlock() error {
	release, err := h.Release()
	if err != nil {
		return fmt.Errorf("kernel release: %w", err)
	}
	version, err := ParseVersion(release)
	if err != nil || !version.Less(memlockCounts) || h.MemlockUnlimited() {
		return err
	}
	if err := h.UnlimitMemlock(); err != nil {
		return fmt.Errorf("raise the limit of locked memory, which eBPF maps count as before Linux 5.11 (LimitMEMLOCK=infinity in the systemd unit does it too): %w", err)
	}
	return nil
}

// Check returns all unmet requirements, joined, each with the remedy.
func (h *Host) Check(r Requirements) error {
	return errors.Join(h.checkKernel(r), h.checkBTF(r.BTFPath), h.checkMounts(r))
}

func (h *Host) checkKernel(r Requirements) error {
	release, err := h.Release()
	if err != nil {
		return fmt.Errorf("kernel release: %w", err)
	}
	version, err := ParseVersion(release)
	if err != nil {
		return err
	}
	if version.Less(oldestKernel) {
		return tooOld(release, version)
	}
	if ns, err := os.Readlink(h.path("/proc/self/ns/user")); err == nil && ns != initialUserNS {
		return errUserNS
	}
	has, err := h.Capabilities()
	if err != nil {
		return fmt.Errorf("capabilities of this process: %w", err)
	}
	needed := slices.Clone(r.Capabilities)
	if version.Less(memlockCounts) && !h.MemlockUnlimited() {
		needed = append(needed, CapSysResource)
	}
	// Only root may enter tracefs, unless mount options say otherwise.
	if r.Tracefs && h.tracefsForbidden() {
		needed = append(needed, CapDACReadSearch)
	}
	if err := has.check(needed); err != nil {
		return err
	}
	return errors.Join(h.checkCalls(r), h.checkLockdown(r))
}

// checkCalls finds out whether eBPF is forbidden to a process that has the capabilities.
func (h *Host) checkCalls(r Requirements) error {
	calls := map[string]func() error{}
	if slices.Contains(r.Capabilities, CapBPF) {
		calls["bpf"] = h.BPF
	}
	if r.Tracefs {
		calls["perf_event_open"] = h.PerfEventOpen
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		if err := calls[name](); err != nil {
			errs = append(errs, fmt.Errorf("the system call %s is refused, though no capability is missing: %w; allow it in the seccomp filter (SystemCallFilter=bpf perf_event_open in the systemd unit, --security-opt seccomp=<profile> in Docker, securityContext.seccompProfile in Kubernetes) or in the policy of the security module (SELinux, AppArmor)", name, err))
		}
	}
	return errors.Join(errs...)
}

func (h *Host) checkLockdown(r Requirements) error {
	if !slices.Contains(r.Capabilities, CapBPF) {
		return nil
	}
	// As in "none [integrity] confidentiality". If the file cannot be read, loading a program shows it: see ExplainLoad.
	text, err := os.ReadFile(h.path("/sys/kernel/security/lockdown"))
	if err == nil && strings.Contains(string(text), "[confidentiality]") {
		return errLockdown
	}
	return nil
}

// noProbeRead is the verifier's message for the helpers that read the kernel's memory, which are missing under lockdown.
var noProbeRead = regexp.MustCompile(`(unknown func|cannot use helper) bpf_probe_read`)

// ExplainLoad adds the cause to the error with which the kernel refuses a program. Without the helpers that read kernel
// memory the kernel is locked down, even if this process cannot read the state of the lockdown.
func ExplainLoad(err error) error {
	text := err.Error()
	if refusal := (*ebpf.VerifierError)(nil); errors.As(err, &refusal) {
		text = strings.Join(refusal.Log, "\n") // the error has only the last line, which may be empty
	}
	if noProbeRead.MatchString(text) {
		return fmt.Errorf("%w: %w", err, errLockdown)
	}
	return err
}

// AtLeast reports whether the kernel has that version or a newer one; false if unknown.
func (h *Host) AtLeast(v Version) bool {
	if h == nil {
		return false
	}
	release, err := h.Release()
	if err != nil {
		return false
	}
	version, err := ParseVersion(release)
	return err == nil && !version.Less(v)
}

func tooOld(release string, version Version) error {
	var missing []string
	for _, f := range kernelFeatures {
		if version.Less(f.since) {
			missing = append(missing, fmt.Sprintf("%s (%s)", f.name, f.since))
		}
	}
	lacks := ""
	if len(missing) > 0 {
		lacks = ": it lacks " + strings.Join(missing, ", ")
	}
	return fmt.Errorf("kernel %s is too old%s; run Linux %s or newer", release, lacks, oldestKernel)
}

func (h *Host) checkBTF(path string) error {
	file := path
	if file == "" {
		file = h.path("/sys/kernel/btf/vmlinux")
	}
	if _, err := os.Stat(file); err != nil {
		return btfError(path, err)
	}
	return nil
}

func (h *Host) checkMounts(r Requirements) error {
	if !r.Tracefs && !r.Cgroup2 {
		return nil
	}
	text, err := os.ReadFile(h.path("/proc/self/mountinfo"))
	if err != nil {
		return fmt.Errorf("mounted file systems: %w", err)
	}
	mounts := parseMountinfo(string(text))
	if r.Tracefs && len(mountsOf(mounts, "tracefs")) == 0 {
		err = errNoTracefs
	}
	if r.Cgroup2 && len(mountsOf(mounts, "cgroup2")) == 0 {
		err = errors.Join(err, errNoCgroup2)
	}
	return err
}

// tracefsForbidden reports whether tracefs is mounted, but not readable by this process.
func (h *Host) tracefsForbidden() bool {
	text, err := os.ReadFile(h.path("/proc/self/mountinfo"))
	if err != nil {
		return false
	}
	forbidden := false
	for _, m := range mountsOf(parseMountinfo(string(text)), "tracefs") {
		_, err := os.ReadDir(h.path(m.point + "/events/syscalls"))
		if err == nil {
			return false
		}
		forbidden = forbidden || errors.Is(err, fs.ErrPermission)
	}
	return forbidden
}

// StatsEnabled reports whether the kernel measures the run time of BPF programs (sysctl kernel.bpf_stats_enabled is 1).
func (h *Host) StatsEnabled() (bool, error) {
	text, err := os.ReadFile(h.path("/proc/sys/kernel/bpf_stats_enabled"))
	if errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("kernel.bpf_stats_enabled: %w", err)
	}
	return strings.TrimSpace(string(text)) == "1", nil
}

func (h *Host) path(path string) string { return filepath.Join(h.Root, path) }
