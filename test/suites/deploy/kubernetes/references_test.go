// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
)

// Every object that another object refers to exists.
func TestReferences(t *testing.T) {
	objects := build(t)
	exists := func(kind, name string) bool {
		return slices.ContainsFunc(objects, func(o object) bool { return o.kind == kind && o.name == name })
	}
	for name, pod := range pods(t, objects) {
		container := pod.Spec.Containers[0]
		assert.True(t, exists("ServiceAccount", pod.Spec.ServiceAccountName), pod.Spec.ServiceAccountName)
		var volumes, mounts []string
		for _, volume := range pod.Spec.Volumes {
			volumes = append(volumes, volume.Name)
			if volume.ConfigMap != nil {
				assert.True(t, exists("ConfigMap", volume.ConfigMap.Name), "%s: ConfigMap %s", name, volume.ConfigMap.Name)
			}
		}
		for _, mount := range container.VolumeMounts {
			mounts = append(mounts, mount.Name)
			assert.True(t, mount.ReadOnly, "%s: %s", name, mount.Name)
		}
		assert.ElementsMatch(t, volumes, mounts, name)

		text := config(t, objects, name)
		for _, port := range container.Ports {
			assert.Contains(t, text, fmt.Sprintf("endpoint: ${env:POD_IP}:%d\n", port.ContainerPort), "%s listens on %s", name, port.Name)
		}
		for _, probe := range []*core.Probe{container.LivenessProbe, container.ReadinessProbe} {
			require.NotNil(t, probe, name)
			assert.True(t, hasPort(container, probe.HTTPGet.Port.StrVal), "%s: probe of port %s", name, probe.HTTPGet.Port.StrVal)
		}
		for _, resource := range []core.ResourceName{core.ResourceCPU, core.ResourceMemory} {
			assert.Contains(t, container.Resources.Requests, resource, name)
			assert.Contains(t, container.Resources.Limits, resource, name)
		}
	}
	assert.Equal(t, agent(t, objects).Spec.Selector.MatchLabels, agent(t, objects).Spec.Template.Labels)
	assert.Equal(t, gateway(t, objects).Spec.Selector.MatchLabels, gateway(t, objects).Spec.Template.Labels)

	service := decode[core.Service](t, objects, "Service", gatewayName)
	assert.Equal(t, gateway(t, objects).Spec.Template.Labels, service.Spec.Selector)
	for _, port := range service.Spec.Ports {
		assert.True(t, hasPort(gateway(t, objects).Spec.Template.Spec.Containers[0], port.TargetPort.StrVal), port.Name)
	}
	assert.Contains(t, config(t, objects, agentName), fmt.Sprintf("endpoint: dns:///%s:%d\n", service.Name, service.Spec.Ports[0].Port))
}

func hasPort(container core.Container, name string) bool {
	return slices.ContainsFunc(container.Ports, func(p core.ContainerPort) bool { return p.Name == name })
}

// The agent has the rights that it needs, the gateway none.
func TestRights(t *testing.T) {
	objects := build(t)
	for name, pod := range pods(t, objects) {
		context := pod.Spec.Containers[0].SecurityContext
		assert.False(t, *context.Privileged, name)
		assert.False(t, *context.AllowPrivilegeEscalation, name)
		assert.True(t, *context.ReadOnlyRootFilesystem, name)
		assert.Equal(t, []core.Capability{"ALL"}, context.Capabilities.Drop, name)
		assert.False(t, pod.Spec.HostNetwork, name)
	}
	spec := agent(t, objects).Spec.Template.Spec
	assert.True(t, spec.HostPID)
	var host []string
	for _, volume := range spec.Volumes {
		if volume.HostPath != nil {
			host = append(host, volume.HostPath.Path)
			assert.Equal(t, volume.HostPath.Path, mountPath(t, spec.Containers[0], volume.Name))
		}
	}
	assert.ElementsMatch(t, []string{"/sys/fs/cgroup", "/sys/kernel/btf"}, host)

	rest := gateway(t, objects).Spec.Template.Spec
	assert.Empty(t, rest.Containers[0].SecurityContext.Capabilities.Add)
	assert.True(t, *rest.SecurityContext.RunAsNonRoot)
	assert.False(t, *rest.AutomountServiceAccountToken)

	binding := decode[rbac.ClusterRoleBinding](t, objects, "ClusterRoleBinding", agentName)
	assert.Equal(t, role(t, objects).Name, binding.RoleRef.Name)
	assert.Equal(t, []rbac.Subject{{Kind: "ServiceAccount", Name: spec.ServiceAccountName, Namespace: "otelcol-ebpf"}}, binding.Subjects)
	for _, rule := range role(t, objects).Rules {
		assert.Equal(t, []string{"get", "list", "watch"}, rule.Verbs)
	}
	for _, o := range objects {
		if o.kind != "Namespace" && o.kind != "ClusterRole" && o.kind != "ClusterRoleBinding" {
			assert.Equal(t, "otelcol-ebpf", o.namespace, "%s %s", o.kind, o.name)
		}
	}
}
