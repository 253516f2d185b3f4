// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package deploy checks the files in deploy/ without deploying them: the systemd unit with systemd's own tools, and the
// container file against the files that it copies. The folder kubernetes is a module of its own, because it needs the schemas
// of the Kubernetes API.
package deploy
