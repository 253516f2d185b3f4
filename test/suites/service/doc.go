// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package service installs the Debian package on a machine with systemd, starts the service, reloads, upgrades and removes it. It
// changes the machine, so that it runs in a virtual one only: `make test-service`.
package service
