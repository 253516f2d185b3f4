// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	restrict.Main()
	os.Exit(m.Run())
}

// nobody is an unprivileged user id.
const nobody = 65534

// publicCollector returns a path of the built collector where every user may execute it.
func publicCollector(t *testing.T) string {
	t.Helper()
	return public(t, testenv.Collector(t))
}

// public returns the path of a copy of an executable. Every user may execute it.
func public(t *testing.T, executable string) string {
	t.Helper()
	path := filepath.Join(provoke.PublicDir(t), filepath.Base(executable))
	testenv.LinkOrCopy(t, executable, path)
	return path
}
