// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package irreversible

import (
	"fmt"
	"os"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/kernel/internal/lab"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/kernel/internal/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	if !lab.Disposable() {
		fmt.Println("these tests are for kernels that end with them: make test-kernels")
		return
	}
	code := m.Run()
	traffic.RemoveExecutables()
	os.Exit(code)
}
