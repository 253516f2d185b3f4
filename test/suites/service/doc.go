// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package service installs the Debian package on a machine with systemd, starts the service, reloads, upgrades and removes it. It
// changes the machine, so run it in a virtual one: `make test-service`.
package service
