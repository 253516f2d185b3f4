// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

func owner(pid, uid uint32, comm, executable string) *common.Owner {
	o := &common.Owner{Pid: pid, Uid: uid}
	for i := range len(comm) {
		o.Comm[i] = int8(comm[i])
	}
	for i := range len(executable) {
		o.Executable[i] = int8(executable[i])
	}
	return o
}

func TestPutOwner(t *testing.T) {
	for _, tt := range []struct {
		name        string
		owner       *common.Owner
		attribution common.Attribution
		want        map[string]any
	}{
		{
			name:        "socket",
			owner:       owner(4242, 1000, "curl", "curl"),
			attribution: common.AttributionSocket,
			want: map[string]any{
				"process.pid": int64(4242), "process.executable.name": "curl", "process.user.id": int64(1000),
				"thread.name": "curl", "ebpf.attribution": "socket",
			},
		},
		{
			name:        "receiving socket, root",
			owner:       owner(1, 0, "systemd", "systemd"),
			attribution: common.AttributionReceivingSocket,
			want: map[string]any{
				"process.pid": int64(1), "process.executable.name": "systemd", "process.user.id": int64(0),
				"thread.name": "systemd", "ebpf.attribution": "receiving_socket",
			},
		},
		{
			name:        "current, names of maximum length, no executable",
			owner:       owner(1<<22, 1<<32-2, "123456789012345", ""),
			attribution: common.AttributionCurrent,
			want: map[string]any{
				"process.pid": int64(1 << 22), "process.user.id": int64(1<<32 - 2),
				"thread.name": "123456789012345", "ebpf.attribution": "current",
			},
		},
		{
			name:        "a thread without a name",
			owner:       owner(7, 7, "", "x"),
			attribution: common.AttributionSocket,
			want: map[string]any{
				"process.pid": int64(7), "process.executable.name": "x", "process.user.id": int64(7), "ebpf.attribution": "socket",
			},
		},
		{
			name:        "only the cgroup is known",
			owner:       owner(0, 1000, "swapper", "ghost"),
			attribution: common.AttributionCgroup,
			want:        map[string]any{"ebpf.attribution": "cgroup"},
		},
		{
			name:        "names in Latin-1",
			owner:       owner(7, 7, "caf\xe9", "\xe9t\xe9"),
			attribution: common.AttributionSocket,
			want: map[string]any{
				"process.pid": int64(7), "process.executable.name": "\uFFFDt\uFFFD", "process.user.id": int64(7),
				"thread.name": "caf\uFFFD", "ebpf.attribution": "socket",
			},
		},
		{name: "none", owner: owner(0, 0, "", ""), want: map[string]any{}},
		{name: "unknown attribution", owner: owner(0, 0, "", ""), attribution: 99, want: map[string]any{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := New(settings())
			e := b.EventAt(1, 0, "", plog.SeverityNumberInfo)
			e.PutOwner(tt.owner, uint8(tt.attribution))
			e.End(empty)
			lr := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
			assert.Equal(t, tt.want, lr.Attributes().AsRaw())
		})
	}
}

func TestAppendOwner(t *testing.T) {
	b := New(settings())
	assert.Equal(t, "to curl[4242]", string(b.AppendOwner([]byte("to "), owner(4242, 0, "curl", "curl-8"))))
	assert.Equal(t, "?", string(b.AppendOwner(nil, owner(0, 0, "swapper", ""))))
	assert.Equal(t, "caf\uFFFD[7]", string(b.AppendOwner(nil, owner(7, 0, "caf\xe9", ""))))
}
