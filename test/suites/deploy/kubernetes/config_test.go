// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kubernetes

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	core "k8s.io/api/core/v1"
)

// collector returns the path of the binary that `make build-full` builds, which deploy/Containerfile also uses.
func collector(t *testing.T) string {
	t.Helper()
	path := os.Getenv("OTELCOL_EBPF_FULL_COLLECTOR")
	if path == "" {
		path = filepath.Join(repository, "dist-full", "otelcol-ebpf-full")
	}
	if _, err := os.Stat(path); err != nil {
		if os.Getenv("OTELCOL_EBPF_REQUIRE_KERNEL") == "1" {
			t.Fatal(err)
		}
		t.Skip("the collector is not built, run `make build-full`: " + err.Error())
	}
	return path
}

// The collector accepts each configuration with the arguments and variables of its pod, without a deprecation warning.
func TestCollectorTakesTheConfigurations(t *testing.T) {
	objects := build(t)
	for name, pod := range pods(t, objects) {
		t.Run(name, func(t *testing.T) {
			container := pod.Spec.Containers[0]
			text := config(t, objects, name)
			given := map[string]string{}
			for _, variable := range container.Env {
				given[variable.Name] = variable.Value
				if variable.ValueFrom != nil {
					given[variable.Name] = "10.0.0.1"
				}
			}
			if len(container.EnvFrom) > 0 { // the gateway's Secret
				given["OTLP_ENDPOINT"], given["OTLP_TOKEN"] = "https://backend.example.com", "key"
			}
			for _, match := range regexp.MustCompile(`\$\{env:(\w+)\}`).FindAllStringSubmatch(text, -1) {
				assert.Contains(t, given, match[1], "the pod does not have this variable")
			}

			file := filepath.Join(t.TempDir(), "config.yaml")
			require.NoError(t, os.WriteFile(file, []byte(text), 0o600))
			mounted := mountPath(t, container, "config") + "/config.yaml"
			args := slices.Clone(container.Args)
			i := slices.Index(args, "--config="+mounted)
			require.GreaterOrEqual(t, i, 0, "the arguments do not name %s", mounted)
			args[i] = "--config=" + file
			cmd := exec.Command(collector(t), append([]string{"validate"}, args...)...)
			for variable, value := range given {
				cmd.Env = append(cmd.Env, variable+"="+value)
			}
			output, err := cmd.CombinedOutput()
			require.NoError(t, err, string(output))
			assert.NotContains(t, strings.ToLower(string(output)), "deprecated")
		})
	}
}

// config returns the configuration in a pod's ConfigMap.
func config(t *testing.T, objects []object, name string) string {
	t.Helper()
	text := decode[core.ConfigMap](t, objects, "ConfigMap", name).Data["config.yaml"]
	require.NotEmpty(t, text)
	return text
}

func mountPath(t *testing.T, container core.Container, volume string) string {
	t.Helper()
	for _, mount := range container.VolumeMounts {
		if mount.Name == volume {
			return mount.MountPath
		}
	}
	t.Fatalf("container %s does not mount %s", container.Name, volume)
	return ""
}
