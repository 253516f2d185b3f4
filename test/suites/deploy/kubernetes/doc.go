// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package kubernetes checks deploy/kubernetes without a cluster. It validates the output of kustomize against the schemas of
// the Kubernetes API, checks the references between objects, and validates the configurations with the built collector. The
// agents by deploy/helm and deploy/operator are validated, too, and must be the same. It is a module of its own, so that no other
// module gets its dependencies.
package kubernetes
