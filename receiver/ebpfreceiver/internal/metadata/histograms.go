// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package metadata is what mdatagen generates from metadata.yaml, and what it cannot generate.
package metadata

import "go.opentelemetry.io/collector/pdata/pmetric"

// HistogramInfo is what metadata.yaml would say about a histogram metric. mdatagen builds sums and gauges only, so the
// receiver's histograms are declared here; their temporality is cumulative and their unit seconds.
type HistogramInfo struct {
	Name        string
	Description string
	Unit        string
	// Attributes are the names of the data points' attributes; each is declared in metadata.yaml.
	Attributes []string
}

var (
	// EbpfConnectionDuration describes ebpf.connection.duration.
	EbpfConnectionDuration = HistogramInfo{
		Name:        "ebpf.connection.duration",
		Description: "Time from the establishment of TCP connections to their close.",
		Unit:        "s",
		Attributes:  []string{"network.transport", "network.type", "ebpf.connection.role", "otel.metric.overflow"},
	}
	// EbpfConnectionHandshakeDuration describes ebpf.connection.handshake.duration.
	EbpfConnectionHandshakeDuration = HistogramInfo{
		Name:        "ebpf.connection.handshake.duration",
		Description: "Time that TCP handshakes took, of the connections that this side began.",
		Unit:        "s",
		Attributes:  []string{"network.transport", "network.type", "otel.metric.overflow"},
	}
	// EbpfDiskOperationDuration describes ebpf.disk.operation.duration.
	EbpfDiskOperationDuration = HistogramInfo{
		Name:        "ebpf.disk.operation.duration",
		Description: "Time from the issue of operations to disks until their completion; its count is that of the operations.",
		Unit:        "s",
		Attributes:  []string{"system.device", "ebpf.disk.operation.type", "disk.io.direction", "error.type", "otel.metric.overflow"},
	}
	// EbpfRunqueueDuration describes ebpf.runqueue.duration.
	EbpfRunqueueDuration = HistogramInfo{
		Name:        "ebpf.runqueue.duration",
		Description: "Time that tasks which could run waited for a CPU, each time that they began to run.",
		Unit:        "s",
		Attributes:  []string{"otel.metric.overflow"},
	}
	// EbpfSyscallDuration describes ebpf.syscall.duration.
	EbpfSyscallDuration = HistogramInfo{
		Name:        "ebpf.syscall.duration",
		Description: "Time that system calls took, those that failed and those that wait by their nature included.",
		Unit:        "s",
		Attributes:  []string{"ebpf.syscall.name", "otel.metric.overflow"},
	}
	// EbpfTCPRtt describes ebpf.tcp.rtt.
	EbpfTCPRtt = HistogramInfo{
		Name:        "ebpf.tcp.rtt",
		Description: "Smoothed round-trip times of TCP connections, looked at while segments come, and at the close.",
		Unit:        "s",
		Attributes:  []string{"network.transport", "network.type", "ebpf.connection.role", "otel.metric.overflow"},
	}
)

// Histograms returns the histograms of the receiver in the order of their names.
func Histograms() []HistogramInfo {
	return []HistogramInfo{EbpfConnectionDuration, EbpfConnectionHandshakeDuration, EbpfDiskOperationDuration, EbpfRunqueueDuration, EbpfSyscallDuration, EbpfTCPRtt}
}

// HistogramConfig provides config for one histogram.
type HistogramConfig struct {
	Enabled bool `mapstructure:"enabled"`
}

// HistogramsConfig provides config for the histograms of the receiver, in the shape of MetricsConfig.
type HistogramsConfig struct {
	EbpfConnectionDuration          HistogramConfig `mapstructure:"ebpf.connection.duration"`
	EbpfConnectionHandshakeDuration HistogramConfig `mapstructure:"ebpf.connection.handshake.duration"`
	EbpfDiskOperationDuration       HistogramConfig `mapstructure:"ebpf.disk.operation.duration"`
	EbpfRunqueueDuration            HistogramConfig `mapstructure:"ebpf.runqueue.duration"`
	EbpfSyscallDuration             HistogramConfig `mapstructure:"ebpf.syscall.duration"`
	EbpfTCPRtt                      HistogramConfig `mapstructure:"ebpf.tcp.rtt"`
}

// DefaultHistogramsConfig returns the configuration in which every histogram is enabled.
func DefaultHistogramsConfig() HistogramsConfig {
	return HistogramsConfig{
		EbpfConnectionDuration:          HistogramConfig{Enabled: true},
		EbpfConnectionHandshakeDuration: HistogramConfig{Enabled: true},
		EbpfDiskOperationDuration:       HistogramConfig{Enabled: true},
		EbpfRunqueueDuration:            HistogramConfig{Enabled: true},
		EbpfSyscallDuration:             HistogramConfig{Enabled: true},
		EbpfTCPRtt:                      HistogramConfig{Enabled: true},
	}
}

// WithMetrics adds metrics that mdatagen has no builder for to a resource that is emitted.
func WithMetrics(metrics pmetric.MetricSlice) ResourceMetricsOption {
	return resourceMetricsOptionFunc(func(rm pmetric.ResourceMetrics) {
		metrics.MoveAndAppendTo(rm.ScopeMetrics().At(0).Metrics())
	})
}
