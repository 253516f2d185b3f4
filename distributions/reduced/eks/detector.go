// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package eks replaces the detector of EKS in the collector for nodes, which saves the AWS SDK. The full collector has the real one.
package eks

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/sdk/resource"
)

// NewResourceDetector returns a detector whose error names the full collector.
func NewResourceDetector() resource.Detector { return detector{} }

type detector struct{}

// Detect returns an error.
func (detector) Detect(context.Context) (*resource.Resource, error) {
	return nil, errors.New("the detector of EKS is only in the full collector, otelcol-ebpf-full")
}
