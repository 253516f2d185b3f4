// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
	"sigs.k8s.io/yaml"
)

// resource are the fields of an OpenTelemetryCollector that deploy/operator uses. The folder operator pins the module with its schema.
type resource struct {
	meta.TypeMeta
	Metadata meta.ObjectMeta `json:"metadata"`
	Spec     struct {
		Mode                          string                       `json:"mode"`
		Image                         string                       `json:"image"`
		ImagePullPolicy               core.PullPolicy              `json:"imagePullPolicy"`
		ServiceAccount                string                       `json:"serviceAccount"`
		HostPID                       bool                         `json:"hostPID"`
		NodeSelector                  map[string]string            `json:"nodeSelector"`
		Tolerations                   []core.Toleration            `json:"tolerations"`
		DaemonSetUpdateStrategy       apps.DaemonSetUpdateStrategy `json:"daemonSetUpdateStrategy"`
		TerminationGracePeriodSeconds *int64                       `json:"terminationGracePeriodSeconds"`
		Env                           []core.EnvVar                `json:"env"`
		Resources                     core.ResourceRequirements    `json:"resources"`
		SecurityContext               *core.SecurityContext        `json:"securityContext"`
		VolumeMounts                  []core.VolumeMount           `json:"volumeMounts"`
		Volumes                       []core.Volume                `json:"volumes"`
		Config                        map[string]any               `json:"config"`
	} `json:"spec"`
}

func customResource(t *testing.T) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(repository, "deploy", "operator", "collector.yaml"))
	require.NoError(t, err)
	return text
}

// operatorSchemas returns the validator with the operator's own schemas.
func operatorSchemas(t *testing.T) *validator.Validator {
	t.Helper()
	text, err := exec.Command("go", "-C", "operator", "mod", "download", "-json", "github.com/open-telemetry/opentelemetry-operator").Output()
	require.NoError(t, err)
	var module struct{ Dir string }
	require.NoError(t, json.Unmarshal(text, &module))
	v, err := validator.New(openapiclient.NewLocalCRDFiles(os.DirFS(filepath.Join(module.Dir, "config", "crd", "bases"))))
	require.NoError(t, err)
	return v
}

// The custom resource matches the operator's schema, and its agents are those of the kustomization.
func TestOperatorAgents(t *testing.T) {
	text := customResource(t)
	require.NoError(t, validate(operatorSchemas(t), text))
	var r resource
	require.NoError(t, yaml.UnmarshalStrict(text, &r))
	assert.Equal(t, "daemonset", r.Spec.Mode)
	objects := build(t)
	set := agent(t, objects)
	assert.Equal(t, agentName, r.Metadata.Name)
	assert.Equal(t, set.Namespace, r.Metadata.Namespace)
	assert.Equal(t, set.Spec.Template.Spec.TerminationGracePeriodSeconds, r.Spec.TerminationGracePeriodSeconds)
	ours := agentPod{
		image: r.Spec.Image, pull: r.Spec.ImagePullPolicy, account: r.Spec.ServiceAccount, hostPID: r.Spec.HostPID,
		nodes: r.Spec.NodeSelector, tolerations: r.Spec.Tolerations, update: r.Spec.DaemonSetUpdateStrategy, env: r.Spec.Env,
		resources: asYAML(t, r.Spec.Resources), securityContext: r.Spec.SecurityContext, volumes: r.Spec.Volumes,
		mounts: r.Spec.VolumeMounts, config: r.Spec.Config,
	}
	assert.Equal(t, kustomized(t), ours)
}

// The operator's schema finds mistakes.
func TestOperatorMistakes(t *testing.T) {
	v := operatorSchemas(t)
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown field": {"hostPID: true", "hostPid: true", "hostPid"},
		"wrong type":    {"hostPID: true", "hostPID: often", "hostPID"},
		"unknown mode":  {"mode: daemonset", "mode: everywhere", "mode"},
	} {
		t.Run(name, func(t *testing.T) {
			text := customResource(t)
			require.Contains(t, string(text), tt.old)
			assert.ErrorContains(t, validate(v, bytes.Replace(text, []byte(tt.old), []byte(tt.new), 1)), tt.want)
		})
	}
}
