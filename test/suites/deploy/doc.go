// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package deploy checks what is in deploy/ without deploying it: the systemd unit with systemd's own tools, the
// container file against what it copies. Its folder kubernetes is a module of its own, which has the API's schemas.
package deploy
