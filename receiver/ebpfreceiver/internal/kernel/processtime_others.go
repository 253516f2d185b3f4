// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build !linux

package kernel

import (
	"errors"
	"time"
)

// ThreadTime fails: only Linux has the CPU time of a thread.
func ThreadTime(func() error) (time.Duration, error) { return 0, errors.ErrUnsupported }
