// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

const (
	id      = "dc34d8d51c0bb37b6af4b5c2ee4a7e1cf3b4ffe6a0a0d2a8b4d8f6f1f7d5c9b0"
	otherID = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"
	pod     = "1b2c3d4e-5f60-7182-93a4-b5c6d7e8f901"
	podUnit = "1b2c3d4e_5f60_7182_93a4_b5c6d7e8f901"
	// staticPod is the uid of a static pod: a hash.
	staticPod = "a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5"
	guid      = "70eb4178-4f2c-4ad1-6b1c-5d55"
)

func TestParseContainer(t *testing.T) {
	// The part of a path before "|" is the container's own cgroup. A path without "|" is in no container.
	for _, tc := range []struct{ name, path, id, pod string }{
		{"docker, systemd driver", "/system.slice/docker-" + id + ".scope|", id, ""},
		{"docker, cgroupfs driver", "/docker/" + id + "|", id, ""},
		{"docker with systemd inside", "/system.slice/docker-" + id + ".scope|/init.scope", id, ""},
		{"docker with a service inside", "/docker/" + id + "|/system.slice/nginx.service", id, ""},
		{"docker in docker", "/docker/" + otherID + "/docker/" + id + "|", id, ""},
		{"docker in docker, systemd", "/system.slice/docker-" + otherID + ".scope/system.slice/docker-" + id + ".scope|", id, ""},
		{"docker with a parent of its own", "/my-parent.slice/docker-" + id + ".scope|", id, ""},
		{"docker rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/docker-" + id + ".scope|", id, ""},
		{"buildkit", "/docker/buildkit/r5tjgx5vhuagpbrn5l1jnnc2b|", "r5tjgx5vhuagpbrn5l1jnnc2b", ""},
		{"buildkit in a container", "/docker/" + otherID + "/buildkit/r5tjgx5vhuagpbrn5l1jnnc2b|", "r5tjgx5vhuagpbrn5l1jnnc2b", ""},

		{"containerd, systemd driver, guaranteed", "/kubepods.slice/kubepods-pod" + podUnit + ".slice/cri-containerd-" + id + ".scope|", id, pod},
		{"containerd, systemd driver, burstable", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnit + ".slice/cri-containerd-" + id + ".scope|", id, pod},
		{"containerd, systemd driver, best effort", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + podUnit + ".slice/cri-containerd-" + id + ".scope|", id, pod},
		{"containerd, cgroupfs driver", "/kubepods/burstable/pod" + pod + "/" + id + "|", id, pod},
		{"containerd, cgroupfs driver, guaranteed", "/kubepods/pod" + pod + "/" + id + "|", id, pod},
		{"static pod", "/kubepods/burstable/pod" + staticPod + "/" + id + "|", id, staticPod},
		{"static pod, systemd driver", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + staticPod + ".slice/cri-containerd-" + id + ".scope|", id, staticPod},
		{"kubelet with cgroupfs, containerd with systemd", "/system.slice/containerd.service/kubepods-burstable-pod" + podUnit + ".slice:cri-containerd:" + id + "|", id, pod},
		{"containerd of k3s", "/k8s.io/" + id + "|", id, ""},
		{"nerdctl", "/system.slice/nerdctl-" + id + ".scope|", id, ""},
		{"nerdctl, cgroupfs driver", "/default/" + id + "|", id, ""},
		{"docker of kubernetes", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + podUnit + ".slice/docker-" + id + ".scope|", id, pod},
		{"kind", "/system.slice/docker-" + otherID + ".scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod" + podUnit + ".slice/cri-containerd-" + id + ".scope|", id, pod},
		{"kind, the node itself", "/system.slice/docker-" + id + ".scope|/kubelet.slice/kubelet.service", id, ""},
		{"kind, in a pod but in none of its containers", "/docker/" + id + "|/kubelet/kubepods/pod" + pod, id, ""},
		{"docker in a pod", "/kubepods/burstable/pod" + pod + "/" + otherID + "/docker/" + id + "|", id, pod},
		{"kata", "/kubepods/burstable/pod" + pod + "/kata_" + id + "|", id, pod},

		{"CRI-O", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnit + ".slice/crio-" + id + ".scope|", id, pod},
		{"CRI-O, below", "/kubepods.slice/kubepods-pod" + podUnit + ".slice/crio-" + id + ".scope|/container", id, pod},
		{"CRI-O, cgroupfs driver", "/kubepods/besteffort/pod" + pod + "/crio-" + id + "|", id, pod},
		{"CRI-O's monitor", "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnit + ".slice/crio-conmon-" + id + ".scope", "", ""},
		{"CRI-O's monitor, cgroupfs driver", "/kubepods/besteffort/pod" + pod + "/crio-conmon-" + id, "", ""},

		{"podman", "/machine.slice/libpod-" + id + ".scope|", id, ""},
		{"podman, below", "/machine.slice/libpod-" + id + ".scope|/container", id, ""},
		{"podman rootless", "/user.slice/user-1000.slice/user@1000.service/user.slice/libpod-" + id + ".scope|/container", id, ""},
		{"podman in a unit", "/system.slice/web.service/libpod-payload-" + id + "|", id, ""},
		{"podman, cgroupfs driver", "/libpod_parent/libpod-" + id + "|", id, ""},
		{"podman, in a pod", "/machine.slice/machine-libpod_pod_" + otherID + ".slice/libpod-" + id + ".scope|", id, ""},
		{"podman's pod", "/machine.slice/machine-libpod_pod_" + otherID + ".slice", "", ""},
		{"podman's pod, cgroupfs driver", "/libpod_parent/libpod_pod_" + otherID, "", ""},
		{"podman's monitor", "/machine.slice/libpod-conmon-" + id + ".scope", "", ""},
		{"podman's health check", "/system.slice/" + id + ".service", "", ""},

		{"ECS on EC2", "/ecs/55091c13-b8cf-4801-b527-f4601742204d/" + id + "|", id, ""},
		{"ECS on EC2, version 2", "/ecstasks.slice/ecstasks-" + staticPod + ".slice/docker-" + id + ".scope|", id, ""},
		{"ECS on Fargate", "/ecs/" + staticPod + "/" + staticPod + "-2531612879|", staticPod + "-2531612879", ""},
		{"garden", "/system.slice/garden.service/garden/" + guid + "|", guid, ""},
		{"garden, whole uuid", "/garden/" + pod + "|", pod, ""},

		{"root", "/", "", ""},
		{"empty", "", "", ""},
		{"service", "/system.slice/sshd.service", "", ""},
		{"session", "/user.slice/user-1000.slice/session-3.scope", "", ""},
		{"runtime", "/system.slice/docker.service", "", ""},
		{"runtime of CRI-O", "/system.slice/crio.service", "", ""},
		{"kubelet", "/kubelet.slice/kubelet.service", "", ""},
		{"pods", "/kubepods.slice/kubepods-burstable.slice", "", ""},
		{"pod", "/kubepods/burstable/pod" + pod, "", ""},
		{"mount unit of a container", "/system.slice/var-lib-docker-overlay2-" + id + "-merged.mount", "", ""},
		{"upper case", "/docker/" + strings.ToUpper(id), "", ""},
		{"one digit too few", "/docker/" + id[1:], "", ""},
		{"one digit too many", "/docker/" + id + "0", "", ""},
		{"uuid beside a garden", "/gardens/" + pod, "", ""},
		{"word beside buildkit", "/docker/buildkit/qemu", "", ""},
		{"lxc", "/lxc.payload.web/system.slice/nginx.service", "", ""},
		{"slash at the end", "/docker/" + id + "|/", id, ""},
		{"double slash", "//docker//" + id + "|", id, ""},
		{"no slash at the start", "docker/" + id + "|", id, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own, _, marked := strings.Cut(tc.path, "|")
			container, ok := parseContainer(strings.Replace(tc.path, "|", "", 1))
			assert.Equal(t, marked, ok)
			if ok {
				assert.Equal(t, Container{ID: tc.id, PodUID: tc.pod, CgroupPath: "0::" + own}, container)
			}
		})
	}
}

func TestParseUnit(t *testing.T) {
	// The part of a path before "|" is the unit's own cgroup. A path without "|" is in no unit.
	for _, tc := range []struct{ name, path, unit string }{
		{"service", "/system.slice/sshd.service|", "sshd.service"},
		{"below a service", "/system.slice/nginx.service|/workers", "nginx.service"},
		{"instance", "/system.slice/system-getty.slice/getty@tty1.service|", "getty@tty1.service"},
		{"escaped name", "/system.slice/system-systemd\\x2dfsck.slice/systemd-fsck@dev-vda.service|", "systemd-fsck@dev-vda.service"},
		{"name that the kernel uses", "/system.slice/_cpu.service|", "cpu.service"},
		{"session", "/user.slice/user-1000.slice/session-3.scope|", "session-3.scope"},
		{"user's service", "/user.slice/user-1000.slice/user@1000.service/app.slice/dbus.service|", "dbus.service"},
		{"user's manager", "/user.slice/user-1000.slice/user@1000.service|", "user@1000.service"},
		{"user's slice", "/user.slice/user-1000.slice|/other", "user-1000.slice"},
		{"init", "/init.scope|", "init.scope"},
		{"virtual machine", "/machine.slice/machine-qemu\\x2d1\\x2dweb.scope|/libvirt", "machine-qemu\\x2d1\\x2dweb.scope"},
		{"service of an LXC container", "/lxc.payload.web/system.slice/nginx.service|", "nginx.service"},
		{"root", "/", ""},
		{"slice", "/system.slice", ""},
		{"all users", "/user.slice", ""},
		{"mount", "/system.slice/boot.mount", ""},
		{"pod", "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod" + podUnit + ".slice", ""},
		{"monitor of a container", "/machine.slice/libpod-conmon-" + id + ".scope", ""},
		{"health check of a container", "/system.slice/" + id + ".service", ""},
		{"empty", "", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			own, _, marked := strings.Cut(tc.path, "|")
			unit, ok := parseUnit(strings.Replace(tc.path, "|", "", 1))
			assert.Equal(t, marked, ok)
			if ok {
				assert.Equal(t, Container{CgroupPath: "0::" + own, Unit: tc.unit}, unit)
			}
		})
	}
}

func TestPodUID(t *testing.T) {
	for part, want := range map[string]string{
		"pod" + pod:                            pod,
		"kubepods-pod" + podUnit + ".slice":    pod,
		"pod" + staticPod:                      staticPod,
		"pods":                                 "",
		"pod":                                  "",
		"kubepods":                             "",
		"libpod-" + id:                         "",
		"mypod" + pod:                          "",
		"pod" + pod + "0":                      "",
		"pod1b2c3d4e-5f60-7182-93a4":           "",
		"pod1b2c3d4e-5f60-7182-93a4-b5c6d7e8z": "",
		"pod" + guid:                           "",
	} {
		assert.Equal(t, want, podUID(part), part)
	}
}

func FuzzParseContainer(f *testing.F) {
	f.Add("/kubepods/burstable/pod" + pod + "/" + id)
	f.Add("/system.slice/docker-" + id + ".scope/init.scope")
	f.Add("/garden/" + guid)
	f.Add("//pod.:-_")
	f.Fuzz(func(t *testing.T, path string) {
		container, ok := parseContainer(path)
		if !ok {
			assert.Zero(t, container)
			return
		}
		assert.NotEmpty(t, container.ID)
		own := strings.TrimPrefix(container.CgroupPath, "0::")
		assert.True(t, strings.HasPrefix(path, own))
		assert.Contains(t, own, container.ID)
		again, _ := parseContainer(own)
		assert.Equal(t, container, again, "the container's own cgroup is in the same container")
	})
}
