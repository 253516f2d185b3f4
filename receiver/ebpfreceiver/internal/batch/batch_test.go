// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// The cgroups of the tests: two of one container, one of another, one of the host.
const (
	web, webChild, database, service = 101, 102, 103, 104

	webID      = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	databaseID = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	podUID     = "00000000-1111-2222-3333-444444444444"
)

func settings() Settings {
	containers := kernel.NewContainers(kernel.AllFields)
	containers.Add(web, "/kubepods/pod"+podUID+"/"+webID)
	containers.Add(webChild, "/kubepods/pod"+podUID+"/"+webID+"/init.scope")
	containers.Add(database, "/system.slice/docker-"+databaseID+".scope")
	containers.Add(service, "/system.slice/sshd.service")
	return Settings{
		Clock:      new(kernel.Clock), // wall time equals kernel time
		Containers: containers,
		Resources:  metadata.NewResourceBuilder(metadata.DefaultResourceAttributesConfig()),
		Include:    func(pcommon.Resource) bool { return true },
		ScopeName:  "scope",
		Version:    "1.2.3",
		Size:       4,
	}
}

func record(program uint8, time uint64) *common.Record {
	return &common.Record{Program: program, Time: time}
}

func TestAppend(t *testing.T) {
	b := New(settings())
	b.Observe(time.Unix(2, 0))
	lr := b.Append(record(3, 1_000_000_007), 0, "ebpf.oom.kill", plog.SeverityNumberError)

	assert.Equal(t, pcommon.Timestamp(1_000_000_007), lr.Timestamp(), "the record's time")
	assert.Equal(t, pcommon.Timestamp(2_000_000_000), lr.ObservedTimestamp(), "the time of reading")
	assert.Equal(t, "ebpf.oom.kill", lr.EventName())
	assert.Equal(t, plog.SeverityNumberError, lr.SeverityNumber())
	assert.Equal(t, "ERROR", lr.SeverityText())

	lr = b.AppendAt(42, 0, "ebpf.program.state", plog.SeverityNumberInfo)
	assert.Equal(t, pcommon.Timestamp(42), lr.Timestamp())

	payload := b.Flush()
	assert.Equal(t, 2, payload.Count)
	assert.Equal(t, [common.MaxPrograms]int{3: 1}, payload.ByProgram, "only events with a record count for a program")
	require.Equal(t, 1, payload.Logs.ResourceLogs().Len())
	scope := payload.Logs.ResourceLogs().At(0).ScopeLogs()
	require.Equal(t, 1, scope.Len())
	assert.Equal(t, "scope", scope.At(0).Scope().Name())
	assert.Equal(t, "1.2.3", scope.At(0).Scope().Version())
	assert.Equal(t, 2, scope.At(0).LogRecords().Len())
}

// The observed time of an event is never before the event.
func TestObservedTimestampIsNotBeforeTheEvent(t *testing.T) {
	b := New(settings())
	b.Observe(time.Unix(2, 0))
	assert.Equal(t, pcommon.Timestamp(2_000_000_000), b.Append(record(3, 1_999_999_999), 0, "", plog.SeverityNumberInfo).ObservedTimestamp())
	assert.Equal(t, pcommon.Timestamp(2_000_000_001), b.Append(record(3, 2_000_000_001), 0, "", plog.SeverityNumberInfo).ObservedTimestamp())
	b.Observe(time.Unix(3, 0))
	assert.Equal(t, pcommon.Timestamp(3_000_000_000), b.Append(record(3, 2_000_000_002), 0, "", plog.SeverityNumberInfo).ObservedTimestamp())
}

func TestSeverityText(t *testing.T) {
	for severity, want := range map[plog.SeverityNumber]string{
		plog.SeverityNumberInfo: "INFO", plog.SeverityNumberWarn: "WARN", plog.SeverityNumberError: "ERROR",
	} {
		assert.Equal(t, want, New(settings()).AppendAt(1, 0, "", severity).SeverityText())
	}
}

func TestAppendPerContainer(t *testing.T) {
	b := New(settings())
	const unknown = 999
	for i, cgroup := range []uint64{web, 0, webChild, database, service, web, unknown} {
		b.Append(record(3, uint64(i)), cgroup, "", plog.SeverityNumberInfo)
	}
	payload := b.Flush()
	assert.Equal(t, 7, payload.Count)

	type resource struct {
		attributes map[string]any
		times      []uint64
	}
	var got []resource
	for _, rl := range payload.Logs.ResourceLogs().All() {
		r := resource{attributes: rl.Resource().Attributes().AsRaw()}
		for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
			r.times = append(r.times, uint64(lr.Timestamp()))
		}
		got = append(got, r)
	}
	assert.Equal(t, []resource{
		{map[string]any{
			"container.id":         webID,
			"k8s.pod.uid":          podUID,
			"process.linux.cgroup": "0::/kubepods/pod" + podUID + "/" + webID,
		}, []uint64{0, 2, 5}},
		{map[string]any{}, []uint64{1, 6}},
		{map[string]any{
			"container.id":         databaseID,
			"process.linux.cgroup": "0::/system.slice/docker-" + databaseID + ".scope",
		}, []uint64{3}},
		{map[string]any{"systemd.unit.name": "sshd.service", "process.linux.cgroup": "0::/system.slice/sshd.service"}, []uint64{4}},
	}, got)
}

// Log records of an excluded resource are dropped, and do not count for their program.
func TestUnwantedResources(t *testing.T) {
	s := settings()
	s.Include = func(r pcommon.Resource) bool {
		id, ok := r.Attributes().Get("container.id")
		return !ok || id.Str() != webID
	}
	b := New(s)
	for range 3 {
		lr := b.Append(record(3, 1), web, "ebpf.connection.close", plog.SeverityNumberInfo)
		lr.Attributes().PutStr("server.address", "10.0.0.5") // as for any other
	}
	assert.Zero(t, b.Len())
	assert.Equal(t, 4, b.Room())
	assert.Zero(t, b.Age(), "nothing waits")
	b.Append(record(3, 2), database, "ebpf.connection.close", plog.SeverityNumberInfo)

	payload := b.Flush()
	assert.Equal(t, 1, payload.Count)
	assert.Equal(t, 1, payload.Logs.LogRecordCount())
	assert.Equal(t, [common.MaxPrograms]int{3: 1}, payload.ByProgram)
	assert.NotContains(t, marshal(t, payload.Logs), webID)
}

func TestRoomAndAge(t *testing.T) {
	b := New(settings())
	assert.Zero(t, b.Len())
	assert.Equal(t, 4, b.Room())
	assert.Zero(t, b.Age())

	b.AppendAt(1, 0, "", plog.SeverityNumberInfo)
	time.Sleep(2 * time.Millisecond)
	b.AppendAt(2, 0, "", plog.SeverityNumberInfo)
	assert.Equal(t, 2, b.Len())
	assert.Equal(t, 2, b.Room())
	assert.GreaterOrEqual(t, b.Age(), 2*time.Millisecond, "the age begins with the first event")

	for range 3 {
		b.AppendAt(3, 0, "", plog.SeverityNumberInfo)
	}
	assert.Equal(t, -1, b.Room(), "events without a record may exceed the size")
}

func TestFlushBeginsAnew(t *testing.T) {
	b := New(settings())
	b.Append(record(3, 1), web, "", plog.SeverityNumberInfo)
	first := b.Flush()
	assert.Zero(t, b.Len())
	assert.Zero(t, b.Age())
	assert.Zero(t, b.Flush().Logs.ResourceLogs().Len())

	b.Append(record(4, 2), web, "", plog.SeverityNumberInfo)
	second := b.Flush()
	assert.Equal(t, [common.MaxPrograms]int{3: 1}, first.ByProgram)
	assert.Equal(t, [common.MaxPrograms]int{4: 1}, second.ByProgram)
	for i, payload := range []Payload{first, second} {
		assert.Equal(t, 1, payload.Logs.LogRecordCount(), "batch %d must not be changed by the other", i)
		id, ok := payload.Logs.ResourceLogs().At(0).Resource().Attributes().Get("container.id")
		require.True(t, ok, "batch %d", i)
		assert.Equal(t, webID, id.Str())
	}
}

// If the configuration disables all attributes of containers, resources have none.
func TestResourceAttributesConfig(t *testing.T) {
	s := settings()
	config := metadata.DefaultResourceAttributesConfig()
	config.ProcessLinuxCgroup.Enabled = false
	s.Resources = metadata.NewResourceBuilder(config)
	b := New(s)
	b.AppendAt(1, web, "", plog.SeverityNumberInfo)
	assert.Equal(t, map[string]any{"container.id": webID, "k8s.pod.uid": podUID},
		b.Flush().Logs.ResourceLogs().At(0).Resource().Attributes().AsRaw())
}

func marshal(t *testing.T, logs plog.Logs) string {
	t.Helper()
	text, err := new(plog.JSONMarshaler).MarshalLogs(logs)
	require.NoError(t, err)
	return strings.TrimSpace(string(text))
}

// The event of a cgroup may be read before it is known which container it belongs to.
func TestContainerThatBecomesKnown(t *testing.T) {
	s := settings()
	b := New(s)
	const started = 105
	b.Append(record(1, 1), started, "ebpf.connection.connect", plog.SeverityNumberInfo)
	s.Containers.Add(started, "/system.slice/cron.service")
	b.Append(record(1, 2), started, "ebpf.connection.connect", plog.SeverityNumberInfo)

	resources := b.Flush().Logs.ResourceLogs()
	require.Equal(t, 2, resources.Len())
	assert.Empty(t, resources.At(0).Resource().Attributes().AsRaw())
	unit, _ := resources.At(1).Resource().Attributes().Get("systemd.unit.name")
	assert.Equal(t, "cron.service", unit.Str())
}
