// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packages makes a release of the built collector for this machine's architecture, and checks its files. It installs, starts,
// upgrades and removes the packages in a copy of this machine's root: an overlay in a mount namespace, so that the machine does not
// change. Instead of systemd's commands, the packages' scripts find stubs that record how they are called.
package packages
