// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package privileges

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/load"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/provoke"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/restrict"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

func TestMain(m *testing.M) {
	load.Main()
	restrict.Main()
	os.Exit(m.Run())
}

// nobody is the user id of somebody who owns nothing.
const nobody = 65534

// publicCollector returns the path of the built collector where every user may execute it.
func publicCollector(t *testing.T) string {
	t.Helper()
	built := testenv.Collector(t)
	path := filepath.Join(provoke.PublicDir(t), "otelcol-ebpf")
	if os.Link(built, path) != nil {
		copyFile(t, built, path)
	}
	return path
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	content, err := os.ReadFile(from)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(to, content, 0o755))
}
