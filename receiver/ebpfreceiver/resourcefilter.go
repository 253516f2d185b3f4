// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"go.opentelemetry.io/collector/filter"
	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// resourceFilter carries out the lists of resources that the configuration block `resource_attributes` lets in and keeps
// out, by the values of their attributes.
type resourceFilter struct {
	include, exclude map[string]filter.Filter
}

// newEventsFilter returns the filter for the resources of events. The one for metrics is a part of mdatagen's builder.
func newEventsFilter(c *metadata.ResourceAttributesConfig) resourceFilter {
	f := resourceFilter{include: make(map[string]filter.Filter), exclude: make(map[string]filter.Filter)}
	for name, attribute := range map[string]metadata.ResourceAttributeConfig{
		"container.id":         c.ContainerID,
		"k8s.pod.uid":          c.K8sPodUID,
		"process.linux.cgroup": c.ProcessLinuxCgroup,
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

// keeps reports whether the events of a resource are wanted. A resource without the attribute of a filter is wanted.
func (f resourceFilter) keeps(resource pcommon.Resource) bool {
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
