// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dashboards

import (
	"flag"
	"os"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestMain(m *testing.M) {
	traffic.Main()
	// The troubles run in parallel: they wait most of the time.
	flag.Parse()
	if err := flag.Set("test.parallel", "20"); err != nil {
		panic(err)
	}
	code := m.Run()
	traffic.RemoveExecutables()
	os.Exit(code)
}
