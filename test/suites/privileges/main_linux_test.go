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

// nobody is the user id of somebody who owns nothing.
const nobody = 65534

// publicCollector returns the path of the built collector where every user may execute it.
func publicCollector(t *testing.T) string {
	t.Helper()
	built := testenv.Collector(t)
	path := filepath.Join(provoke.PublicDir(t), "otelcol-ebpf")
	testenv.LinkOrCopy(t, built, path)
	return path
}
