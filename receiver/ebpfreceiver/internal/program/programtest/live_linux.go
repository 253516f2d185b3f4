// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package programtest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// LiveHost returns a Host of the running kernel.
func LiveHost(t testing.TB) *program.Host {
	t.Helper()
	kerneltest.Require(t)
	tracefstest.Mount(t) // a machine may have none, and some hooks are tracepoints of system calls
	host := Host(t)
	host.Kernel.Host = kernel.ThisHost()
	types, err := kernel.LoadBTF("")
	require.NoError(t, err)
	host.BTF, host.Reasons = types, types.DropReasons()
	host.Containers, err = kernel.OpenContainers(kernel.AllFields)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, host.Containers.Close()) })
	host.CgroupRoot = host.Containers.Mount()
	host.Clock, err = kernel.NewClock()
	require.NoError(t, err)
	return host
}

// LiveOptions returns the options of a set in the running kernel, without a consumer of events.
func LiveOptions(t testing.TB) program.Options {
	t.Helper()
	host := LiveHost(t)
	return program.Options{
		Kernel:   host.Kernel,
		Settings: host.Settings,
		RingSize: 1 << 20,
		Emit:     func(func(*batch.Batch)) bool { return true },
		Report:   host.Report,
	}
}

// Records runs a program in this kernel during the traffic, and returns copies of all records that it wrote.
func Records(t testing.TB, one program.Selected, traffic func()) (records [][]byte) {
	t.Helper()
	return RecordsOf(t, one.Definition.Name, []program.Selected{one}, traffic)
}

// RecordsOf starts programs in this kernel in their order, and returns copies of all records that one of them wrote
// during the traffic.
func RecordsOf(t testing.TB, name string, programs []program.Selected, traffic func()) (records [][]byte) {
	t.Helper()
	// Nothing is read before the end. The ring has room for the records of other processes.
	options := LiveOptions(t)
	options.RingSize = 16 << 20
	set, err := program.Open(programs, options)
	require.NoError(t, err)
	defer func() { require.NoError(t, set.Close()) }()
	reader, err := ring.New(set.Records())
	require.NoError(t, err)
	defer func() { require.NoError(t, reader.Close()) }()

	traffic()
	set.Detach()
	reader.Drain(1<<20, func(raw []byte) {
		if record, ok := common.View[common.Record](raw); ok && set.Name(int(record.Program)) == name {
			records = append(records, slices.Clone(raw))
		}
	})
	return records
}

// Eventually waits until the traffic has made a condition true.
func Eventually(t testing.TB, condition func() bool) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); !condition(); time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "the condition is not met in time")
	}
}
