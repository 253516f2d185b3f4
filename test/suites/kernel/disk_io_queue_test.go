// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/diskio"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// A disk that is smaller than it claims completes the first part of a read, requeues the rest, and then fails the rest.
// That is one operation, and only the first part counts as bytes.
func TestDiskIOPartialCompletion(t *testing.T) {
	testnet.Require(t)
	const offset, size, there = 1 << 20, 64 << 10, 16 << 10
	inner := testhost.NewDisk(t, diskSize)
	outer := testhost.NewDiskOver(t, inner)
	require.NoError(t, inner.Resize(offset+there))
	// The queue is so short that requests are reused soon.
	require.NoError(t, outer.SetQueue("scheduler", "none"))
	require.NoError(t, outer.SetQueue("nr_requests", "4"))
	require.NoError(t, outer.SetQueue("nomerges", "2"))
	r := testreceiver.Start(t, everyOperation)
	a := traffic.Start(t, testnet.NewNamespace(t))
	before, beforeInner := outer.StatSince(t, testhost.DiskStat{}), inner.StatSince(t, testhost.DiskStat{})
	done := a.WorkDisk(outer, traffic.DiskRead, offset, size, 1)
	require.Equal(t, unix.EIO, done.Errno)
	require.Equal(t, testhost.DiskStat{Reads: 1, ReadBytes: there}, inner.StatSince(t, beforeInner), "the disk read a part")
	require.Equal(t, testhost.DiskStat{Reads: 1, ReadBytes: size}, outer.StatSince(t, before))

	failed := attributes{"error.type": "eio"}
	e := r.Exactly(t, 1, onDisk(outer))[0]
	check(t, e, slowOperationEvent, plog.SeverityNumberWarn,
		operation(outer, "read", offset, size).with(owner(a, "current")).with(failed), diskDurationKey)
	between(t, e, diskDurationKey, 0, done.Duration())
	within(t, e, done.Start, done.End)
	// Later operations are independent of it, whether they reuse the request or not.
	const times = 30
	require.Zero(t, a.WorkDisk(outer, traffic.DiskReadThirds, 0, 3*size, times).Errno)
	for _, e := range r.Exactly(t, 1+3*times, onDisk(outer))[1:] {
		sector := e.Attributes[diskSectorKey].(int64)
		assert.Contains(t, []int64{0, size / sectorSize, 2 * size / sectorSize}, sector)
		check(t, e, slowOperationEvent, plog.SeverityNumberWarn,
			operation(outer, "read", sector*sectorSize, size).with(owner(a, "current")), diskDurationKey)
	}

	m := r.Scrape(t)
	_, bytes := operations(m, outer, "read")
	assert.Equal(t, there+3*times*size, bytes)
	for errorType, want := range map[string]int{"": 3 * times, "eio": 1} {
		series := diskSeries(outer, "read")
		if errorType != "" {
			series["error.type"] = errorType
		}
		p, ok := m.Histogram(diskDurationMetric, series)
		require.True(t, ok, errorType)
		assert.EqualValues(t, want, p.Count(), errorType)
	}
}

// An operation that the disk requeues is one operation that begins with the first issue.
func TestDiskIORequeue(t *testing.T) {
	testnet.Require(t)
	const offset, size, there, perSecond = 1 << 20, 256 << 10, 192 << 10, 128 << 10
	inner := testhost.NewDisk(t, diskSize)
	outer := testhost.NewDiskOver(t, inner)
	r := testreceiver.Start(t, everyOperation)
	container := testhost.NewContainer(t)
	limit := testhost.NewDiskLimit(t, container, inner, perSecond)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	if !limit.Charges() {
		require.NoError(t, limit.Add(a.PID))
	}
	before := outer.StatSince(t, testhost.DiskStat{})
	var done traffic.DiskDone
	times, parts := 0, 0
	for ; parts != 2; times++ {
		require.Less(t, times, 5, "no read was split")
		require.NoError(t, inner.Resize(offset+there))
		beforeInner := inner.StatSince(t, testhost.DiskStat{})
		grown := make(chan error, 1)
		go func() {
			// The limit delays the first part for more than a second, so that more data is queued behind it. If the
			// thread is late, all data is queued from the beginning.
			testreceiver.Eventually(func() bool { n, err := outer.InFlight(); return n > 0 || err != nil })
			time.Sleep(200 * time.Millisecond)
			grown <- inner.Resize(diskSize)
		}()
		done = a.WorkDisk(outer, traffic.DiskRead, offset, size, 1)
		require.NoError(t, <-grown)
		require.Zero(t, done.Errno)
		parts = inner.StatSince(t, beforeInner).Reads
	}
	want := outer.StatSince(t, before)
	require.Equal(t, testhost.DiskStat{Reads: times, ReadBytes: times * size}, want)

	e := r.Exactly(t, times, onDisk(outer))[times-1]
	check(t, e, slowOperationEvent, plog.SeverityNumberWarn, operation(outer, "read", offset, size).with(owner(a, "current")), diskDurationKey)
	// The rest alone takes a quarter of the time. The kernel lets some operations pass without delay.
	between(t, e, diskDurationKey, time.Second*size/perSecond/2, done.Duration())
	within(t, e, done.Start, done.End)
	sameAsKernel(t, r.Scrape(t), outer, want)
	a.Kill()
}

// Requests that the scheduler merges are one operation.
func TestDiskIOMerge(t *testing.T) {
	testnet.Require(t)
	disk := testhost.NewDisk(t, diskSize)
	require.NoError(t, disk.SetQueue("scheduler", "mq-deadline"))
	require.NoError(t, disk.SetQueue("nomerges", "0"))
	r := testreceiver.Start(t, everyOperation)
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	before := disk.StatSince(t, testhost.DiskStat{})
	const offset, size, count = 1 << 20, 3 * 8192, 20
	done := a.WorkDisk(disk, traffic.DiskReadThirds, offset, size, count)
	require.Zero(t, done.Errno)
	want := disk.StatSince(t, before)
	require.Equal(t, count*size, want.ReadBytes)
	events := r.Exactly(t, want.Reads, onDisk(disk))
	if kernelSays().merges {
		require.Equal(t, count, want.Reads, "the kernel merges three reads into one")
		for _, e := range events {
			check(t, e, slowOperationEvent, plog.SeverityNumberWarn, operation(disk, "read", offset, size).with(owner(a, "current")), diskDurationKey)
		}
	}
	for _, e := range events {
		assert.Equal(t, resource(container), e.Resource)
		within(t, e, done.Start, done.End)
	}
	sameAsKernel(t, r.Scrape(t), disk, want)
	noneLeft(t)
}

// noneLeft checks that each operation in flight ends and frees its slot.
func noneLeft(t *testing.T) {
	t.Helper()
	slots := openMap(t, bpf.DiskIOMapDiskIoSlots)
	left := map[uint32]bpf.DiskIOOperation{}
	var (
		index uint32
		op    bpf.DiskIOOperation
	)
	for all := slots.Iterate(); all.Next(&index, &op); {
		if op.Slot.Claims != 0 || op.Slot.Others != 0 {
			left[index] = op
		}
	}
	assert.True(t, testreceiver.Eventually(func() bool {
		for index, before := range left {
			require.NoError(t, slots.Lookup(&index, &op))
			if op.Slot.Claims == 0 && op.Slot.Others == 0 || op.Slot.Key != before.Slot.Key || op.Issued != before.Issued {
				delete(left, index)
			}
		}
		return len(left) == 0
	}), "%+v", left)
}

// openMap opens this process's map of that name.
func openMap(t *testing.T, name string) *ebpf.Map {
	t.Helper()
	for id, found := range testreceiver.Owned(t).Maps {
		if found == name {
			m, err := ebpf.NewMapFromID(id)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, m.Close()) })
			return m
		}
	}
	require.Fail(t, "no map", name)
	return nil
}
