// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubernetes checks deploy/kubernetes without a cluster: what kustomize makes of it is held against the schemas
// of the Kubernetes API, its parts against each other, and its configurations against the built collector. It is a
// module of its own, so that what it needs for that is nobody else's.
package kubernetes
