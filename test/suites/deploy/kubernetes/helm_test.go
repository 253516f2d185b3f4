// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	rbac "k8s.io/api/rbac/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
	"sigs.k8s.io/yaml"
)

// helmValues returns the values for the community's chart.
func helmValues(t *testing.T) chartutil.Values {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", "helm", "values.yaml"))
	require.NoError(t, err)
	values, err := chartutil.ReadValues(text)
	require.NoError(t, err)
	return values
}

// render returns the objects that helm would install. The chart is the test's own; testdata/chart says why.
func render(t *testing.T, values chartutil.Values) (objects []object, err error) {
	t.Helper()
	chart, err := loader.Load(filepath.Join("testdata", "chart"))
	require.NoError(t, err)
	all, err := chartutil.ToRenderValues(chart, values, chartutil.ReleaseOptions{Name: "agent", Namespace: "otelcol-ebpf"}, nil)
	if err != nil {
		return nil, err
	}
	files, err := engine.Render(chart, all)
	require.NoError(t, err)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		for text := range strings.SplitSeq(files[name], "\n---\n") {
			var header struct {
				Kind     string
				Metadata meta.ObjectMeta
			}
			require.NoError(t, yaml.Unmarshal([]byte(text), &header), name)
			objects = append(objects, object{header.Kind, header.Metadata.Name, header.Metadata.Namespace, []byte(text)})
		}
	}
	return objects, nil
}

// With the values for helm, the agents are those of the kustomization.
func TestHelmAgents(t *testing.T) {
	objects, err := render(t, helmValues(t))
	require.NoError(t, err)
	for _, release := range releases {
		v, err := validator.New(openapiclient.NewHardcodedBuiltins(release))
		require.NoError(t, err)
		for _, o := range objects {
			assert.NoError(t, validate(v, o.yaml), "%s %s with Kubernetes %s", o.kind, o.name, release)
		}
	}
	ours := build(t)
	rendered := decode[apps.DaemonSet](t, objects, "DaemonSet", agentName)
	got := agentOf(t, rendered, decode[core.ConfigMap](t, objects, "ConfigMap", agentName).Data["relay"])
	want := kustomized(t)
	// The chart also sets the pod's address under another name.
	got.env = slices.DeleteFunc(got.env, func(v core.EnvVar) bool { return v.Name == "MY_POD_IP" })
	assert.Equal(t, want, got)
	assert.Equal(t, healthOf(agent(t, ours)), healthOf(rendered))

	assert.Equal(t, role(t, ours).Rules, role(t, objects).Rules)
	binding := decode[rbac.ClusterRoleBinding](t, objects, "ClusterRoleBinding", agentName)
	assert.Equal(t, decode[rbac.ClusterRoleBinding](t, ours, "ClusterRoleBinding", agentName).Subjects, binding.Subjects)
	assert.Equal(t, want.account, decode[core.ServiceAccount](t, objects, "ServiceAccount", agentName).Name)
	// The command is the image's executable.
	containerfile, err := os.ReadFile(filepath.Join(repository, "deploy", "Containerfile"))
	require.NoError(t, err)
	assert.Contains(t, string(containerfile), `ENTRYPOINT ["`+rendered.Spec.Template.Spec.Containers[0].Command[0]+`"]`)
}

// A value that the chart does not know is a mistake.
func TestHelmMistakes(t *testing.T) {
	for _, name := range []string{"hostPid", "extraEnv", "config"} {
		values := helmValues(t)
		values[name] = true
		_, err := render(t, values)
		assert.ErrorContains(t, err, name)
	}
}

// health returns the probes of an agent, with port numbers.
type health struct {
	ports  map[string]int32
	probes []probe
}

type probe struct {
	core.Probe
	port int32
}

func healthOf(set apps.DaemonSet) health {
	c := set.Spec.Template.Spec.Containers[0]
	h := health{ports: map[string]int32{}}
	for _, p := range c.Ports {
		h.ports[p.Name] = p.ContainerPort
	}
	for _, p := range []*core.Probe{c.LivenessProbe, c.ReadinessProbe} {
		one := probe{*p, p.HTTPGet.Port.IntVal}
		if name := p.HTTPGet.Port.StrVal; name != "" {
			one.port = h.ports[name]
		}
		one.HTTPGet = &core.HTTPGetAction{Path: p.HTTPGet.Path}
		h.probes = append(h.probes, one)
	}
	return h
}
