// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"sigs.k8s.io/kubectl-validate/pkg/openapiclient"
	"sigs.k8s.io/kubectl-validate/pkg/validator"
)

// releases are the oldest and the newest supported Kubernetes releases whose schemas are available.
var releases = []string{"1.26", "1.30"}

func validate(v *validator.Validator, text []byte) error {
	_, parsed, err := v.Parse(text)
	if err != nil {
		return err
	}
	return v.Validate(parsed)
}

// Each object matches the schema of the API: no unknown field, no missing field, and the right types.
func TestObjectsAreOfTheSchemas(t *testing.T) {
	objects := build(t)
	for _, release := range releases {
		v, err := validator.New(openapiclient.NewHardcodedBuiltins(release))
		require.NoError(t, err)
		for _, o := range objects {
			assert.NoError(t, validate(v, o.yaml), "%s %s with Kubernetes %s", o.kind, o.name, release)
		}
	}
}

// The schema check finds mistakes.
func TestMistakesAreFound(t *testing.T) {
	v, err := validator.New(openapiclient.NewHardcodedBuiltins(releases[0]))
	require.NoError(t, err)
	for name, tt := range map[string]struct{ old, new, want string }{
		"unknown field": {"hostPID: true", "hostPid: true", "hostPid"},
		"wrong type":    {"hostPID: true", "hostPID: often", "hostPID"},
		"missing field": {"  selector:\n    matchLabels:\n      app.kubernetes.io/component: agent\n      app.kubernetes.io/name: otelcol-ebpf\n  template:", "  template:", "selector"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, o := range build(t) {
				if o.kind != "DaemonSet" {
					continue
				}
				require.Contains(t, string(o.yaml), tt.old)
				assert.ErrorContains(t, validate(v, bytes.Replace(o.yaml, []byte(tt.old), []byte(tt.new), 1)), tt.want)
			}
		})
	}
}
