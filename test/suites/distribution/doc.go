// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package distribution tests what users get besides the receiver's code: the built collectors take every configuration
// that we show, their two manifests differ in nothing but what the full one is for, somebody else's ocb manifest builds
// with our receiver in it, and the versions that several files name are the same in all of them.
package distribution
