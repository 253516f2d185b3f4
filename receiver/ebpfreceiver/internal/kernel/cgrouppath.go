// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import "strings"

// Container is a container or a systemd unit, as the path of its cgroup describes it.
type Container struct {
	// ID is the runtime's name for the container (container.id): 64 hexadecimal digits with most runtimes.
	ID string
	// PodUID is the uid of the pod that it belongs to (k8s.pod.uid), or "".
	PodUID string
	// CgroupPath is the path of the cgroup of the container or unit, without cgroups below it, as /proc/PID/cgroup has it:
	// "0::/system.slice/…".
	CgroupPath string
	// Unit is the name of the systemd unit (systemd.unit.name), as in "nginx.service"; "" for a container.
	Unit string
}

const (
	longID  = 64 // of Docker, containerd, CRI-O, Podman
	shortID = 32 // of a static pod, or a task of ECS
	uuidLen = 36
)

// parseContainer finds the container in the path of a cgroup. If containers are nested, it returns the innermost one. ok
// is false if there is none, as for a service of the host.
func parseContainer(path string) (container Container, ok bool) {
	var parent, pod string
	for start := 0; start < len(path); {
		part, _, _ := strings.Cut(path[start:], "/")
		end := start + len(part)
		if uid := podUID(part); uid != "" {
			pod = uid
		}
		if id := containerID(parent, part); id != "" {
			container, ok = Container{ID: id, PodUID: pod, CgroupPath: path[:end]}, true
		}
		parent, start = part, end+1
	}
	if ok {
		container.CgroupPath = "0::" + container.CgroupPath
	}
	return container, ok
}

// parseNamed returns the container of containerd's clients that give ids of their own, such as ctr: "/namespace/id", and what is
// below that. Other cgroups may look the same, so that more has to be known of it.
func parseNamed(path string) (container Container, ok bool) {
	namespace, rest, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, _, _ := strings.Cut(rest, "/")
	if namespace == "" || id == "" || isUnit(namespace) || isUnit(id) {
		return container, false
	}
	return Container{ID: id, CgroupPath: "0::/" + namespace + "/" + id}, true
}

// isUnit reports whether the name of a cgroup is that of one of systemd's units.
func isUnit(name string) bool {
	switch name[strings.LastIndexByte(name, '.')+1:] {
	case "slice", "service", "scope", "mount", "socket", "swap":
		return true
	}
	return false
}

// parseUnit finds the systemd unit in the path of a cgroup: the innermost service or scope, otherwise the slice of a user. ok is
// false if there is none. The monitor and the health checks of a container have units that are named after the container. They belong
// to the host, because there would be as many units as containers.
func parseUnit(path string) (unit Container, ok bool) {
	var slice Container
	for start := 0; start < len(path); {
		part, _, _ := strings.Cut(path[start:], "/")
		end := start + len(part)
		// systemd puts an underscore before names that the kernel uses itself.
		found := Container{CgroupPath: "0::" + path[:end], Unit: strings.TrimPrefix(part, "_")}
		switch {
		case (strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope")) && !endsInID(part):
			unit, ok = found, true
		case strings.HasPrefix(part, "user-") && strings.HasSuffix(part, ".slice"):
			slice = found
		}
		start = end + 1
	}
	if !ok && slice.Unit != "" {
		return slice, true
	}
	return unit, ok
}

// endsInID reports whether the name of a unit ends in the id of a container.
func endsInID(unit string) bool {
	name := unit[:strings.LastIndexByte(unit, '.')]
	return len(name) >= longID && isHex(name[len(name)-longID:])
}

// IsRuntime reports whether a thread of this name makes the cgroups of containers.
func IsRuntime(comm string) bool { return comm == "runc" || comm == "crun" || comm == "youki" }

// containerID returns the id if a path element, below its parent, is a container, or "".
func containerID(parent, part string) string {
	name := strings.TrimSuffix(part, ".scope")
	if prefix := len(name) - longID; prefix >= 0 && isHex(name[prefix:]) {
		if prefix == 0 || isRuntime(name[:prefix]) {
			return name[prefix:]
		}
		return ""
	}
	switch {
	case parent == "garden" && isGUID(part):
		return part
	case parent == "buildkit" && len(part) == 25 && isAll(part, isLowerOrDigit):
		return part
	case len(part) > shortID+1 && isHex(part[:shortID]) && part[shortID] == '-' && isAll(part[shortID+1:], isDigit) &&
		len(parent) == shortID && isHex(parent):
		// A container of ECS below its task.
		return part
	}
	return ""
}

// isRuntime reports whether the text before an id makes it the id of a container, as in "docker-", "cri-containerd-" or,
// where kubelet and runtime disagree on the driver, "kubepods-…-pod….slice:cri-containerd:". The monitor process of a
// container runs on the host, and a pod is not a container.
func isRuntime(prefix string) bool {
	name := prefix[:len(prefix)-1]
	switch prefix[len(prefix)-1] {
	case '-', ':', '_':
		return !strings.HasSuffix(name, "conmon") && !strings.HasSuffix(name, "_pod")
	}
	return false
}

// podUID returns the uid if a path element is a pod of Kubernetes, or "": "pod<uid>" or "…-pod<uid>.slice". systemd
// writes underscores for dashes.
func podUID(part string) string {
	i := strings.LastIndex(part, "pod")
	if i < 0 || i > 0 && part[i-1] != '-' {
		return ""
	}
	uid := part[i+len("pod"):]
	if end := strings.IndexAny(uid, ".:"); end >= 0 {
		uid = uid[:end]
	}
	if len(uid) == shortID && isHex(uid) {
		return uid
	}
	uid = strings.ReplaceAll(uid, "_", "-")
	if len(uid) == uuidLen && isGUID(uid) {
		return uid
	}
	return ""
}

// isGUID reports whether s is groups of 8, 4, 4, 4 and 12 hexadecimal digits. Garden has 4 digits in the last group.
func isGUID(s string) bool {
	if len(s) != uuidLen && len(s) != uuidLen-8 {
		return false
	}
	for i := range len(s) {
		switch i {
		case 8, 13, 18, 23:
			if s[i] != '-' {
				return false
			}
		default:
			if !isHexDigit(s[i]) {
				return false
			}
		}
	}
	return true
}

func isHex(s string) bool { return isAll(s, isHexDigit) }

func isAll(s string, is func(byte) bool) bool {
	for i := range len(s) {
		if !is(s[i]) {
			return false
		}
	}
	return s != ""
}

func isDigit(c byte) bool        { return c >= '0' && c <= '9' }
func isHexDigit(c byte) bool     { return isDigit(c) || c >= 'a' && c <= 'f' }
func isLowerOrDigit(c byte) bool { return isDigit(c) || c >= 'a' && c <= 'z' }
