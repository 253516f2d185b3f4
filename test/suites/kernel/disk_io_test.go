// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	slowOperationEvent = "ebpf.disk.slow_operation"

	diskDurationMetric = "ebpf.disk.operation.duration"
	diskIOMetric       = "ebpf.disk.io"

	deviceKey       = "system.device"
	diskTypeKey     = "ebpf.disk.operation.type"
	diskSizeKey     = "ebpf.disk.operation.size"
	diskSectorKey   = "ebpf.disk.operation.sector"
	diskDurationKey = "ebpf.disk.operation.duration"
	diskWayKey      = "disk.io.direction"

	// everyOperation makes each disk operation an event. The receiver's own probe needs the other program.
	everyOperation = "programs: {disk_io: {threshold: 1us, event_limit: 1000000}, connection: {}}"

	diskSize   = 4 * mebibyte
	sectorSize = 512
)

func init() {
	counts("disk_io", forContainer{
		act: func(t *testing.T, p place) {
			require.Zero(t, p.agent.WorkDisk(testhost.NewDisk(t, diskSize), traffic.DiskRead, 0, 4096, 1).Errno)
		},
		metrics: []string{diskIOMetric, diskDurationMetric},
	})
}

// diskSeries is the attributes of a disk's series.
func diskSeries(disk *testhost.Disk, operation string) testreceiver.Attributes {
	a := testreceiver.Attributes{deviceKey: disk.Name, diskTypeKey: operation}
	if operation == "read" || operation == "write" {
		a[diskWayKey] = operation
	}
	return a
}

// operation is the attributes of an operation of a disk.
func operation(disk *testhost.Disk, kind string, offset int64, size int) attributes {
	a := attributes{deviceKey: disk.Name, diskTypeKey: kind}
	if kind == "read" || kind == "write" {
		a[diskWayKey] = kind
	}
	if kind != "flush" {
		a[diskSizeKey], a[diskSectorKey] = int64(size), offset/sectorSize
	}
	return a
}

// onDisk selects the events of a disk.
func onDisk(disk *testhost.Disk) testreceiver.Match {
	name := testreceiver.With(deviceKey, disk.Name)
	return func(e testreceiver.Event) bool { return e.Name == slowOperationEvent && name(e) }
}

// operations returns the number of operations of a kind and their bytes, from a scrape.
func operations(m testreceiver.Scrape, disk *testhost.Disk, kind string) (count, bytes int) {
	if p, ok := m.Histogram(diskDurationMetric, diskSeries(disk, kind)); ok {
		count = int(p.Count())
	}
	return count, m.Int(diskIOMetric, diskSeries(disk, kind))
}

// did returns what the kernel counted for a disk since an earlier time. flushes is the number of flush requests, which
// the kernel counts as writes, too.
func did(t *testing.T, disk *testhost.Disk, before testhost.DiskStat, syncs int) testhost.DiskStat {
	t.Helper()
	stat := disk.StatSince(t, before)
	stat.Writes -= syncs
	return stat
}

// sameAsKernel compares the metrics of a disk with the kernel's own statistics.
func sameAsKernel(t *testing.T, m testreceiver.Scrape, disk *testhost.Disk, want testhost.DiskStat) {
	t.Helper()
	var got testhost.DiskStat
	got.Reads, got.ReadBytes = operations(m, disk, "read")
	got.Writes, got.WrittenBytes = operations(m, disk, "write")
	got.Discards, got.DiscardedBytes = operations(m, disk, "discard")
	got.Flushes, _ = operations(m, disk, "flush")
	assert.Equal(t, want, got, "the kernel's statistics of %s", disk.Name)
}

// Each kind of operation with every field, and the metrics equal to the kernel's own statistics.
func TestDiskIOOperations(t *testing.T) {
	testnet.Require(t)
	disk := testhost.NewDisk(t, diskSize)
	r := testreceiver.Start(t, everyOperation)
	before := disk.StatSince(t, testhost.DiskStat{})
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("kernel-test-database", "db-main"), traffic.AsUser(clientUser))
	bytes := map[string]int{}
	for i, step := range []struct {
		work   traffic.DiskWork
		offset int64
		size   int
		times  int
	}{
		{traffic.DiskRead, 0, 4096, 3},
		{traffic.DiskRead, 1 << 20, 64 << 10, 2},
		{traffic.DiskWrite, 512 << 10, 8192, 5},
		{traffic.DiskFlush, 0, 0, 2},
		{traffic.DiskDiscard, 2 << 20, 128 << 10, 1},
	} {
		kind, thread := string(step.work), fmt.Sprintf("step-%d", i)
		before := len(r.Events.Matching(onDisk(disk)))
		done := a.OnThread(thread).WorkDisk(disk, step.work, step.offset, step.size, step.times)
		require.Zero(t, done.Errno)
		events := r.Exactly(t, before+step.times, onDisk(disk))[before:]
		for _, e := range events {
			want := operation(disk, kind, step.offset, step.size).with(owner(a.OnThread(thread), "current"))
			inside := resource(container)
			if kind == "flush" && !kernelSays().flushWaiters {
				want, inside = operation(disk, kind, 0, 0), map[string]any{}
			}
			check(t, e, slowOperationEvent, plog.SeverityNumberWarn, want, diskDurationKey)
			assert.Equal(t, inside, e.Resource)
			between(t, e, diskDurationKey, 0, done.Duration())
			within(t, e, done.Start, done.End)
			assert.Contains(t, e.Body, disk.Name+": "+kind)
		}
		bytes[kind] += step.size * step.times
	}
	m := r.Scrape(t)
	want := did(t, disk, before, 2)
	assert.Equal(t, testhost.DiskStat{
		Reads: 5, ReadBytes: bytes["read"], Writes: 5, WrittenBytes: bytes["write"],
		Discards: 1, DiscardedBytes: bytes["discard"], Flushes: 2,
	}, want, "the kernel's statistics")
	mine := m.In(container)
	if !kernelSays().flushWaiters {
		flushes, _ := operations(m, disk, "flush")
		assert.Equal(t, 2, flushes)
		want.Flushes = 0
	}
	sameAsKernel(t, mine, disk, want)

	// The durations of the metric are those of the events.
	for _, kind := range []string{"read", "write", "flush", "discard"} {
		sum := 0.0
		for _, e := range r.Events.Matching(onDisk(disk), testreceiver.With(diskTypeKey, kind)) {
			sum += e.Attributes[diskDurationKey].(float64)
		}
		p, ok := m.Histogram(diskDurationMetric, diskSeries(disk, kind))
		require.True(t, ok, kind)
		assert.InDelta(t, sum, p.Sum(), 1e-9, kind)
	}
}

// A disk in memory is measured like others, although its driver makes no requests: each operation has every field, and the
// metrics equal the kernel's own statistics.
func TestDiskIOInMemory(t *testing.T) {
	testnet.Require(t)
	const size = 64 << 10 // reading one page is faster than the lowest threshold
	disk, ok := testhost.NewMemoryDisk(t, diskSize)
	if !ok {
		testenv.Lacking(t, "zram")
	}
	r := testreceiver.Start(t, everyOperation)
	before := disk.StatSince(t, testhost.DiskStat{})
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.Named("kernel-test-database", "db-main"), traffic.AsUser(clientUser))
	for _, step := range []struct {
		work   traffic.DiskWork
		offset int64
		times  int
	}{{traffic.DiskWrite, 512 << 10, 5}, {traffic.DiskRead, 512 << 10, 3}} {
		before := len(r.Events.Matching(onDisk(disk)))
		done := a.WorkDisk(disk, step.work, step.offset, size, step.times)
		require.Zero(t, done.Errno)
		for _, e := range r.Exactly(t, before+step.times, onDisk(disk))[before:] {
			check(t, e, slowOperationEvent, plog.SeverityNumberWarn, operation(disk, string(step.work), step.offset, size).with(owner(a, "current")), diskDurationKey)
			assert.Equal(t, resource(container), e.Resource)
			between(t, e, diskDurationKey, 0, done.Duration())
			within(t, e, done.Start, done.End)
		}
	}
	want := did(t, disk, before, 0)
	assert.Equal(t, testhost.DiskStat{Reads: 3, ReadBytes: 3 * size, Writes: 5, WrittenBytes: 5 * size}, want, "the kernel's statistics")
	sameAsKernel(t, r.Scrape(t).In(container), disk, want)
}

// Write-back writes in as many operations as the kernel chooses. The metrics equal the kernel's statistics.
func TestDiskIOWriteBack(t *testing.T) {
	testnet.Require(t)
	disk := testhost.NewDisk(t, diskSize)
	r := testreceiver.Start(t, everyOperation)
	before := disk.StatSince(t, testhost.DiskStat{})
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container), traffic.AsUser(clientUser))
	require.Zero(t, a.WorkDisk(disk, traffic.DiskWriteBack, 0, diskSize, 1).Errno)
	want := did(t, disk, before, 1)
	require.Equal(t, diskSize, want.WrittenBytes)
	events := r.Exactly(t, want.Reads+want.Writes+want.Flushes, onDisk(disk))
	size := 0
	for _, e := range events {
		if e.Attributes[diskTypeKey] == "write" {
			size += int(e.Attributes[diskSizeKey].(int64))
		}
		if pid, ok := e.Attributes["process.pid"]; ok {
			assert.Equal(t, int64(a.PID), pid)
		}
	}
	assert.Equal(t, diskSize, size)
	sameAsKernel(t, r.Scrape(t), disk, want)
}

// A disk on top of another one submits its operations from a kernel thread. These operations belong to no process.
func TestDiskIOOverAnother(t *testing.T) {
	testnet.Require(t)
	inner := testhost.NewDisk(t, diskSize)
	outer := testhost.NewDiskOver(t, inner)
	r := testreceiver.Start(t, everyOperation)
	container := testhost.NewContainer(t)
	const size, count = 16 << 10, 10
	limit := testhost.NewDiskLimit(t, container, inner, 1<<30)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	require.NoError(t, limit.Add(a.PID))
	require.Zero(t, a.WorkDisk(outer, traffic.DiskRead, 4096, size, count).Errno)
	for _, e := range r.Exactly(t, count, onDisk(outer)) {
		check(t, e, slowOperationEvent, plog.SeverityNumberWarn, operation(outer, "read", 4096, size).with(owner(a, "current")), diskDurationKey)
		assert.Equal(t, resource(container), e.Resource)
	}
	for _, e := range r.Exactly(t, count, onDisk(inner)) {
		want, inside := operation(inner, "read", 4096, size), map[string]any{}
		if e.Attributes["process.pid"] != nil {
			// Newer kernels first try to submit in the context of the process.
			want, inside = want.with(owner(a, "current")), resource(container)
		} else if limit.Charges() {
			want, inside = want.with(attributes{"ebpf.attribution": "cgroup"}), resource(container)
		}
		check(t, e, slowOperationEvent, plog.SeverityNumberWarn, want, diskDurationKey)
		assert.Equal(t, inside, e.Resource)
	}
	a.Kill()
}

// With the default threshold only a slow operation is an event.
func TestDiskIOSlowOperation(t *testing.T) {
	testnet.Require(t)
	inner := testhost.NewDisk(t, diskSize)
	outer := testhost.NewDiskOver(t, inner)
	r := testreceiver.Start(t, "programs: {disk_io: {}, connection: {}}")
	container := testhost.NewContainer(t)
	const size, perSecond = 128 << 10, 256 << 10
	limit := testhost.NewDiskLimit(t, container, inner, perSecond)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	require.Zero(t, a.WorkDisk(outer, traffic.DiskRead, 0, size, 1).Errno, "there is no limit yet")
	if !limit.Charges() {
		require.NoError(t, limit.Add(a.PID))
	}
	done := a.WorkDisk(outer, traffic.DiskWrite, 1<<20, size, 1)
	require.Zero(t, done.Errno)
	e := r.Wait(t, 1, onDisk(outer), testreceiver.With(diskTypeKey, "write"))[0]
	check(t, e, slowOperationEvent, plog.SeverityNumberWarn, operation(outer, "write", 1<<20, size).with(owner(a, "current")), diskDurationKey)
	// The kernel lets some operations pass without delay.
	between(t, e, diskDurationKey, time.Second*size/perSecond/2, done.Duration())
	within(t, e, done.Start, done.End)
	assert.Equal(t, resource(container), e.Resource)
	a.Kill()
}

// A failed operation has the error that the process got. Bytes that were not written do not count.
func TestDiskIOFailure(t *testing.T) {
	testnet.Require(t)
	const room, size = 128 << 10, 64 << 10
	disk := testhost.NewDiskWithRoom(t, diskSize, room)
	r := testreceiver.Start(t, everyOperation)
	a := traffic.Start(t, testnet.NewNamespace(t))
	var errno unix.Errno
	written, failed := 0, int64(0)
	for offset := int64(0); errno == 0; offset += size {
		require.Less(t, offset, int64(diskSize))
		if errno = a.WorkDisk(disk, traffic.DiskWrite, offset, size, 1).Errno; errno == 0 {
			written += size
		} else {
			failed = offset
		}
	}
	why := map[unix.Errno]string{unix.EIO: "eio", unix.ENOSPC: "enospc"}[errno]
	require.NotEmpty(t, why, errno.Error())
	e := r.Exactly(t, 1, onDisk(disk), testreceiver.With("error.type", why))[0]
	check(t, e, slowOperationEvent, plog.SeverityNumberWarn,
		operation(disk, "write", failed, size).with(owner(a, "current")).with(attributes{"error.type": why}), diskDurationKey)

	m := r.Scrape(t)
	count, bytes := operations(m, disk, "write")
	assert.Equal(t, written/size, count)
	assert.Equal(t, written, bytes)
	p, ok := m.Histogram(diskDurationMetric, diskSeries(disk, "write").With("error.type", why))
	require.True(t, ok)
	assert.EqualValues(t, 1, p.Count())
}

// Events over the limit are counted as lost, and the metrics are complete. Excluded operations are in neither.
func TestDiskIOEventLimit(t *testing.T) {
	testnet.Require(t)
	disk := testhost.NewDisk(t, diskSize)
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-left-out]}\nprograms: {disk_io: {threshold: 1us, event_limit: 50}}")
	ns := testnet.NewNamespace(t)
	const size, count = 4096, 500
	for _, name := range []string{"kernel-test-left-out", "kernel-test-database"} {
		a := traffic.Start(t, ns, traffic.Named(name, "main"))
		require.Zero(t, a.WorkDisk(disk, traffic.DiskRead, 0, size, count).Errno)
		if name == "kernel-test-left-out" {
			require.Zero(t, a.WorkDisk(disk, traffic.DiskFlush, 0, 0, 2).Errno)
		}
	}
	// Other disks of the host work meanwhile, and a scrape reads the metrics one after the other.
	var total, delivered, held int
	m := r.ScrapeUntil(t, func(m testreceiver.Scrape) bool {
		total = 0
		for _, metric := range m.Find(diskDurationMetric) {
			for _, p := range metric.Histogram().DataPoints().All() {
				total += int(p.Count())
			}
		}
		delivered, held = m.Int("ebpf.event.delivered", testreceiver.Attributes{"ebpf.program.name": "disk_io"}), lost(m, "disk_io")["rate_limit"]
		reads, _ := operations(m, disk, "read")
		return reads >= count && total == delivered+held
	})
	assert.Equal(t, total, delivered+held)
	assert.Positive(t, delivered)
	assert.Greater(t, held, count/2)
	assert.Len(t, lost(m, "disk_io"), 1)
	reads, bytes := operations(m, disk, "read")
	assert.Equal(t, count, reads)
	assert.Equal(t, count*size, bytes)
	if kernelSays().flushWaiters {
		flushes, _ := operations(m, disk, "flush")
		assert.Zero(t, flushes, "flushes of the excluded disk")
	}
	assert.Empty(t, r.Events.Matching(onDisk(disk), testreceiver.With("process.executable.name", "kernel-test-left-out")))
}

// The series of a removed disk end. Without events the metrics are the same.
func TestDiskIOOfDiskThatIsGone(t *testing.T) {
	testnet.Require(t)
	disk, other := testhost.NewDisk(t, diskSize), testhost.NewDisk(t, diskSize)
	r := testreceiver.Start(t, "programs: {disk_io: {events: false, threshold: 1us}}")
	a := traffic.Start(t, testnet.NewNamespace(t))
	for _, d := range []*testhost.Disk{disk, other} {
		require.Zero(t, a.WorkDisk(d, traffic.DiskRead, 0, 4096, 7).Errno)
	}
	seen := func(d *testhost.Disk) func(testreceiver.Scrape) bool {
		return func(m testreceiver.Scrape) bool {
			reads, bytes := operations(m, d, "read")
			return reads == 7 && bytes == 7*4096
		}
	}
	m := r.ScrapeUntil(t, seen(disk))
	assert.True(t, seen(disk)(m) && seen(other)(m))
	require.NoError(t, disk.Close())
	require.True(t, testreceiver.Eventually(func() bool { return disk.Remove() == nil }))
	gone := func(m testreceiver.Scrape) bool {
		reads, bytes := operations(m, disk, "read")
		return reads == 0 && bytes == 0
	}
	m = r.ScrapeUntil(t, gone)
	assert.True(t, gone(m))
	assert.True(t, seen(other)(m))
	assert.Empty(t, r.Events.Matching(testreceiver.Named(slowOperationEvent)))
}
