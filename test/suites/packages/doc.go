// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package packages makes a release of the built collector for this machine's architecture, and looks into its files. It installs,
// starts, upgrades and removes the packages in a copy of this machine's root: an overlay in a mount namespace, so that the machine
// stays as it is. In place of systemd, the scripts of the packages find commands that write down how they are called.
package packages
