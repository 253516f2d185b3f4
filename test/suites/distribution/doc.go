// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package distribution tests what users get besides the receiver's code. The built collectors accept every configuration in
// the repository. Their two manifests differ only in what the full collector adds. Another ocb manifest builds with this
// receiver in it. And versions that several files name are the same in all of them.
package distribution
