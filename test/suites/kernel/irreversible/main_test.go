// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package irreversible

import (
	"fmt"
	"os"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	if !testenv.Disposable() {
		fmt.Println("these tests change the kernel irreversibly; run them in a virtual machine: make test-vm")
		return
	}
	code := m.Run()
	traffic.RemoveExecutables()
	os.Exit(code)
}
