// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux && !darwin

package store

import "os"

func acquire(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o640) }

func diskSize(string) (total, free int64, ok bool) { return 0, 0, false }

func isNoSpace(error) bool { return false }
