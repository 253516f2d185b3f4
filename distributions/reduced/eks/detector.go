// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package eks stands for the detector of EKS, which the full collector has.
package eks

import (
	"context"
	"errors"

	"go.opentelemetry.io/otel/sdk/resource"
)

// NewResourceDetector returns a detector that says where there is one.
func NewResourceDetector() resource.Detector { return detector{} }

type detector struct{}

// Detect returns an error.
func (detector) Detect(context.Context) (*resource.Resource, error) {
	return nil, errors.New("the detector of EKS is only in the full collector, otelcol-ebpf-full")
}
