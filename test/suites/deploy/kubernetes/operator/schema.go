// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package operator pins the module with the schemas of the OpenTelemetry operator. It is a module of its own, because the operator
// requires newer packages of Kubernetes than the tests can be built with. Of the operator, the tests read its files only.
package operator

import _ "github.com/open-telemetry/opentelemetry-operator/pkg/constants" // keeps the module in go.mod
