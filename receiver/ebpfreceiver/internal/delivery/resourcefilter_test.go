// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

func TestResourceFilter(t *testing.T) {
	config := metadata.DefaultResourceAttributesConfig()
	config.K8sPodUID.EventsInclude = []filter.Config{{Strict: "a"}, {Regex: "^b"}}
	config.ContainerID.EventsExclude = []filter.Config{{Strict: "noisy"}}
	config.ContainerID.MetricsExclude = []filter.Config{{Strict: "uncounted"}}
	events := NewResourceFilter(&config)

	for _, tt := range []struct {
		name       string
		attributes map[string]any
		want       bool
	}{
		{"the host", nil, true},
		{"included by value", map[string]any{"k8s.pod.uid": "a"}, true},
		{"included by pattern", map[string]any{"k8s.pod.uid": "bc"}, true},
		{"not included", map[string]any{"k8s.pod.uid": "c"}, false},
		{"excluded", map[string]any{"k8s.pod.uid": "a", "container.id": "noisy"}, false},
		{"excluded from metrics", map[string]any{"container.id": "uncounted"}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resource := pcommon.NewResource()
			require.NoError(t, resource.Attributes().FromRaw(tt.attributes))
			assert.Equal(t, tt.want, events.Includes(resource))
		})
	}
}

// The filter must cover every resource attribute in metadata.yaml.
func TestResourceFilterCoversEveryAttribute(t *testing.T) {
	config := metadata.DefaultResourceAttributesConfig()
	fields := reflect.ValueOf(&config).Elem()
	for _, field := range fields.Fields() {
		attribute := field.Addr().Interface().(*metadata.ResourceAttributeConfig)
		attribute.EventsInclude = []filter.Config{{Strict: "x"}}
		attribute.EventsExclude = []filter.Config{{Strict: "x"}}
	}
	events := NewResourceFilter(&config)
	for field := range fields.Type().Fields() {
		name := field.Tag.Get("mapstructure")
		require.NotEmpty(t, name)
		assert.Contains(t, events.include, name)
		assert.Contains(t, events.exclude, name)
	}
}
