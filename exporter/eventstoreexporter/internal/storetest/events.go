// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package storetest makes events for tests, in the form in which the ebpf receiver makes them.
package storetest

import (
	"fmt"
	"time"

	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// Start is when the first event happens.
var Start = time.Date(2026, 11, 27, 6, 0, 0, 123456789, time.UTC)

// ContainerID is the container of every seventh event.
const ContainerID = "4f5c1f0a1b2c3d4e5f60718293a4b5c6d7e8f90123456789abcdef0123456789"

// Logs returns events with these numbers, a millisecond apart.
func Logs(from, count int) plog.Logs {
	logs := plog.NewLogs()
	host := scope(logs)
	container := scope(logs)
	attributes := logs.ResourceLogs().At(1).Resource().Attributes()
	attributes.PutStr("container.id", ContainerID)
	attributes.PutStr("process.linux.cgroup", "0::/system.slice/docker-"+ContainerID+".scope")
	for i := from; i < from+count; i++ {
		records := host
		if i%7 == 0 {
			records = container
		}
		Event(records.AppendEmpty(), i)
	}
	return logs
}

func scope(logs plog.Logs) plog.LogRecordSlice {
	sl := logs.ResourceLogs().AppendEmpty().ScopeLogs().AppendEmpty()
	sl.Scope().SetName("github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver")
	sl.Scope().SetVersion("0.1.0")
	return sl.LogRecords()
}

// Event fills a log record with the event of this number.
func Event(lr plog.LogRecord, i int) {
	at := Start.Add(time.Duration(i) * time.Millisecond)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(at.Add(150 * time.Microsecond)))
	lr.SetSeverityNumber(plog.SeverityNumberInfo)
	lr.SetSeverityText("INFO")
	a := lr.Attributes()
	command := []string{"curl", "nginx", "postgres", "sshd", "kubelet"}[i%5]
	pid := 1000 + i%300
	switch {
	case i%20 == 19:
		lr.SetEventName("ebpf.packet.drop")
		warn(lr)
		a.PutStr("ebpf.drop.reason", []string{"netfilter_drop", "tcp_csum"}[i/20%2])
		a.PutStr("ebpf.drop.subsystem", "core")
		a.PutStr("ebpf.drop.location", "nf_hook_slow")
		addresses(a, "source", "destination", i)
		a.PutEmptySlice("ebpf.tcp.flags").AppendEmpty().SetStr("syn")
		a.PutInt("ebpf.packet.size", 60)
		a.PutStr("network.interface.name", "eth0")
	case i%10 == 4:
		lr.SetEventName("ebpf.process.exec")
		a.PutInt("process.parent_pid", 1)
		a.PutStr("process.creation.time", at.Format("2006-01-02T15:04:05.000Z"))
		a.PutStr("process.executable.path", "/usr/bin/"+command)
	default:
		lr.SetEventName([]string{"ebpf.connection.connect", "ebpf.connection.close"}[i%2])
		addresses(a, "client", "server", i)
		a.PutStr("ebpf.connection.role", "client")
		switch {
		case i%50 == 12:
			warn(lr)
			a.PutStr("error.type", "refused")
		case i%2 == 1:
			a.PutDouble("ebpf.connection.duration", 0.001*float64(i%1000))
			a.PutInt("ebpf.connection.bytes_sent", int64(i*10%65536))
			a.PutInt("ebpf.connection.bytes_received", int64(i*7%65536))
		default:
			a.PutDouble("ebpf.connection.handshake.duration", 0.0001)
		}
		a.PutInt("ebpf.socket.cookie", int64(100000+i/2))
	}
	a.PutInt("process.pid", int64(pid))
	a.PutStr("process.executable.name", command)
	a.PutInt("process.user.id", 0)
	a.PutStr("thread.name", command)
	a.PutStr("process.linux.cgroup", "0::/system.slice/"+command+".service")
	a.PutStr("ebpf.attribution", "socket")
	a.PutInt("ebpf.network.namespace", 4026531840)
	lr.Body().SetStr(fmt.Sprintf("%s[%d] → 10.0.%d.%d:443 tcp", command, pid, i%4, i%200))
}

func warn(lr plog.LogRecord) {
	lr.SetSeverityNumber(plog.SeverityNumberWarn)
	lr.SetSeverityText("WARN")
}

func addresses(a pcommon.Map, from, to string, i int) {
	a.PutStr("network.transport", "tcp")
	a.PutStr("network.type", "ipv4")
	a.PutStr(from+".address", "10.9.0.1")
	a.PutInt(from+".port", int64(32768+i/2%28000))
	a.PutStr(to+".address", fmt.Sprintf("10.0.%d.%d", i%4, i%200))
	a.PutInt(to+".port", []int64{443, 80, 5432}[i%3])
}
