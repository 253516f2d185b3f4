// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
	"sigs.k8s.io/yaml"
)

// repository is the root of this repository.
var repository, _ = filepath.Abs(filepath.Join("..", "..", "..", ".."))

// object is an object that `kubectl apply -k deploy/kubernetes` would apply.
type object struct {
	kind, name, namespace string
	yaml                  []byte
}

// build returns all objects.
func build(t *testing.T) (objects []object) {
	t.Helper()
	resources, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).
		Run(filesys.MakeFsOnDisk(), filepath.Join(repository, "deploy", "kubernetes"))
	require.NoError(t, err)
	for _, resource := range resources.Resources() {
		text, err := resource.AsYAML()
		require.NoError(t, err)
		objects = append(objects, object{resource.GetKind(), resource.GetName(), resource.GetNamespace(), text})
	}
	require.NotEmpty(t, objects)
	return objects
}

// decode returns the only object of a kind whose name has this prefix. An unknown field fails the test.
func decode[T any](t *testing.T, objects []object, kind, name string) (decoded T) {
	t.Helper()
	found := 0
	for _, o := range objects {
		if o.kind == kind && (o.name == name || len(o.name) > len(name) && o.name[:len(name)+1] == name+"-") {
			require.NoError(t, yaml.UnmarshalStrict(o.yaml, &decoded), "%s %s", kind, o.name)
			found++
		}
	}
	require.Equal(t, 1, found, "%s %s", kind, name)
	return decoded
}

const agentName, gatewayName = "otelcol-ebpf-agent", "otelcol-ebpf-gateway"

func agent(t *testing.T, objects []object) apps.DaemonSet {
	t.Helper()
	return decode[apps.DaemonSet](t, objects, "DaemonSet", agentName)
}

func gateway(t *testing.T, objects []object) apps.Deployment {
	t.Helper()
	return decode[apps.Deployment](t, objects, "Deployment", gatewayName)
}

// pods returns the two pod templates by name.
func pods(t *testing.T, objects []object) map[string]core.PodTemplateSpec {
	t.Helper()
	return map[string]core.PodTemplateSpec{
		agentName:   agent(t, objects).Spec.Template,
		gatewayName: gateway(t, objects).Spec.Template,
	}
}

func role(t *testing.T, objects []object) rbac.ClusterRole {
	t.Helper()
	return decode[rbac.ClusterRole](t, objects, "ClusterRole", agentName)
}
