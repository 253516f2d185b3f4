// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import (
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// ResourceFilter filters resources by the values of their attributes, as the lists in the configuration block
// `resource_attributes` ask for.
type ResourceFilter struct {
	include, exclude map[string]filter.Filter
}

// NewResourceFilter returns the filter for the resources of events. The one for metrics is part of mdatagen's builder.
func NewResourceFilter(c *metadata.ResourceAttributesConfig) ResourceFilter {
	f := ResourceFilter{include: make(map[string]filter.Filter), exclude: make(map[string]filter.Filter)}
	for name, attribute := range map[string]metadata.ResourceAttributeConfig{
		"container.id":         c.ContainerID,
		"k8s.pod.uid":          c.K8sPodUID,
		"process.linux.cgroup": c.ProcessLinuxCgroup,
		"systemd.unit.name":    c.SystemdUnitName,
	} {
		if len(attribute.EventsInclude) > 0 {
			f.include[name] = filter.CreateFilter(attribute.EventsInclude)
		}
		if len(attribute.EventsExclude) > 0 {
			f.exclude[name] = filter.CreateFilter(attribute.EventsExclude)
		}
	}
	return f
}

// Includes reports whether the events of a resource are wanted. A filter does not apply to a resource without its attribute.
func (f ResourceFilter) Includes(resource pcommon.Resource) bool {
	for name, wanted := range f.include {
		if v, ok := resource.Attributes().Get(name); ok && !wanted.Matches(v.AsString()) {
			return false
		}
	}
	for name, unwanted := range f.exclude {
		if v, ok := resource.Attributes().Get(name); ok && unwanted.Matches(v.AsString()) {
			return false
		}
	}
	return true
}
