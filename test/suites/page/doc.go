// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package page opens the page of the event store in Chromium, with the built collector and traffic that the tests make. Screenshots are written to .cache/screenshots.
package page
