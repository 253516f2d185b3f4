// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"
)

// agentPod has what the agents have in common, whatever they are deployed by.
type agentPod struct {
	image           string
	pull            core.PullPolicy
	account         string
	hostPID         bool
	nodes           map[string]string
	tolerations     []core.Toleration
	update          apps.DaemonSetUpdateStrategy
	env             []core.EnvVar
	resources       string
	securityContext *core.SecurityContext
	volumes         []core.Volume
	mounts          []core.VolumeMount
	config          map[string]any
}

// agentOf returns the agentPod of a DaemonSet, without the volume of the configuration, whose path differs.
func agentOf(t *testing.T, set apps.DaemonSet, config string) agentPod {
	t.Helper()
	pod := set.Spec.Template.Spec
	require.Len(t, pod.Containers, 1)
	c := pod.Containers[0]
	return agentPod{
		image: c.Image, pull: c.ImagePullPolicy, account: pod.ServiceAccountName, hostPID: pod.HostPID, nodes: pod.NodeSelector,
		tolerations: pod.Tolerations, update: set.Spec.UpdateStrategy, env: c.Env, resources: asYAML(t, c.Resources),
		securityContext: c.SecurityContext, config: parse(t, config),
		volumes: slices.DeleteFunc(pod.Volumes, func(v core.Volume) bool { return v.ConfigMap != nil }),
		mounts:  slices.DeleteFunc(c.VolumeMounts, func(m core.VolumeMount) bool { return m.Name == "config" }),
	}
}

// kustomized returns the agentPod of deploy/kubernetes.
func kustomized(t *testing.T) agentPod {
	t.Helper()
	objects := build(t)
	pod := agentOf(t, agent(t, objects), config(t, objects, agentName))
	require.Len(t, pod.volumes, 2)
	require.Len(t, pod.mounts, 2)
	require.Len(t, pod.env, 4)
	require.NotEmpty(t, pod.config["receivers"])
	return pod
}

func parse(t *testing.T, text string) (parsed map[string]any) {
	t.Helper()
	require.NoError(t, yaml.Unmarshal([]byte(text), &parsed))
	return parsed
}

func asYAML(t *testing.T, v any) string {
	t.Helper()
	text, err := yaml.Marshal(v)
	require.NoError(t, err)
	return string(text)
}
