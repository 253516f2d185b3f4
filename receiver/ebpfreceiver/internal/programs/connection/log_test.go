// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"
	"syscall"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	connect = bpf.ConnectionEventIdEVENT_CONNECT
	accept  = bpf.ConnectionEventIdEVENT_ACCEPT
	closed  = bpf.ConnectionEventIdEVENT_CLOSE
)

// event returns the record of a client's TCP connection, changed by set.
func event(id bpf.ConnectionEventId, local, remote string, set ...func(*bpf.ConnectionEvent)) []byte {
	e := &bpf.ConnectionEvent{
		Transport: tcp,
		Role:      uint8(common.RoleClient),
		Cookie:    4711,
		Duration:  1_250_000,
		Netns:     4026531840,
	}
	header(&e.Record.Program, &e.Record.Event, &e.Record.Time, uint8(id))
	own(common.OwnerOf(&e.Owner), "curl", "curl-8", 4242, 1000)
	e.Attribution = uint8(common.AttributionSocket)
	from, to := netip.MustParseAddrPort(local), netip.MustParseAddrPort(remote)
	e.Flow.Local.Octets, e.Flow.LocalPort = from.Addr().As16(), from.Port()
	e.Flow.Remote.Octets, e.Flow.RemotePort = to.Addr().As16(), to.Port()
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func header(program, event *uint8, time *uint64, id uint8) {
	*program, *event, *time = programtest.Number, id, uint64(programtest.Start)+1
}

func own(o *common.Owner, comm, executable string, pid, uid uint32) {
	*o = common.Owner{Pid: pid, Uid: uid, Cgroup: programtest.Service}
	copy(chars(o.Comm[:]), comm)
	copy(chars(o.Executable[:]), executable)
}

func chars(s []int8) []byte { return unsafe.Slice((*byte)(unsafe.Pointer(&s[0])), len(s)) }

func server(e *bpf.ConnectionEvent) {
	e.Role = uint8(common.RoleServer)
	e.Duration = 0
	own(common.OwnerOf(&e.Owner), "nginx", "nginx", 100, 33)
}

func web(e *bpf.ConnectionEvent) { e.Owner.Cgroup = programtest.Web }

func failed(err uint32) func(*bpf.ConnectionEvent) {
	return func(e *bpf.ConnectionEvent) { e.Error = err }
}

func errno(err syscall.Errno) func(*bpf.ConnectionEvent) { return failed(uint32(err)) }

// caused is an end with a cause, and with packets that this host dropped.
func caused(cause bpf.ConnectionCause, retransmits, drops uint32) func(*bpf.ConnectionEvent) {
	return func(e *bpf.ConnectionEvent) {
		e.Duration, e.Retransmits, e.Ending.Cause, e.Ending.Drops = 3_070_000_000, retransmits, uint8(cause), drops
		if drops > 0 {
			e.Ending.Reason, e.Ending.Location = programtest.ReasonNetfilterDrop, 1 // no function is there
		}
	}
}

func subflow(e *bpf.ConnectionEvent) { e.Subflow = true }

func on(networkInterface string) func(*bpf.ConnectionEvent) {
	return func(e *bpf.ConnectionEvent) { copy(chars(e.Interface[:]), networkInterface) }
}

// totals sets the totals of a closed connection.
func totals(e *bpf.ConnectionEvent) {
	e.Duration, e.BytesSent, e.BytesReceived = 2_500_000_000, 517, 5_300_000
	e.Rtt, e.RttMin, e.Retransmits = 12_345, 11_000, 3
}

// unmeasured is a connection that was closed without any measurement.
func unmeasured(e *bpf.ConnectionEvent) {
	e.Duration, e.BytesSent, e.BytesReceived = 40_000, 0, 0
	e.Rtt, e.RttMin = 0, noRTT
}

func withoutOwner(e *bpf.ConnectionEvent) {
	e.Owner.Pid = 0
	e.Attribution = uint8(common.AttributionCgroup)
}

func datagram(e *bpf.ConnectionEvent) {
	e.Transport, e.Duration = udp, 0
	e.Attribution = uint8(common.AttributionCurrent)
}

// atOnce is a connect() that fails before a SYN.
func atOnce(e *bpf.ConnectionEvent) { e.Duration = 0 }

func onlyConnected(e *bpf.ConnectionEvent) { e.Unsent = true }

// local returns the record of a connect() to a unix socket. An abstract name begins with a zero byte.
func local(path string, set ...func(*bpf.ConnectionUnixEvent)) []byte {
	e := &bpf.ConnectionUnixEvent{Cookie: 4712, Netns: 4026531840, Length: uint32(len(path))}
	header(&e.Record.Program, &e.Record.Event, &e.Record.Time, eventUnix)
	own(common.OwnerOf(&e.Owner), "psql", "psql", 4243, 0)
	copy(chars(e.Path[:]), path)
	for _, change := range set {
		change(e)
	}
	return programtest.Bytes(e)
}

func TestAppendLogGolden(t *testing.T) {
	const (
		v4, v4server = "10.0.0.9:51234", "10.0.0.5:443"
		v6, v6server = "[2001:db8::9]:51234", "[2001:db8::5]:443"
	)
	for file, records := range map[string][][]byte{
		"connect.yaml": {
			event(connect, v4, v4server),
			event(connect, v6, v6server),
			event(connect, "[::ffff:127.0.0.1]:51234", "[::ffff:127.0.0.1]:8080"),
			event(connect, v4, v4server, web),
			event(connect, v4, v4server, withoutOwner, func(e *bpf.ConnectionEvent) { e.Owner.Cgroup = programtest.Database }),
		},
		"connect_failed.yaml": {
			event(connect, v4, v4server, errno(syscall.ECONNREFUSED)),
			event(connect, v6, v6server, errno(syscall.ETIMEDOUT), func(e *bpf.ConnectionEvent) { e.Duration = 3_070_000_000 }),
			event(connect, v4, v4server, errno(syscall.ECONNRESET), web),
			event(connect, v4, v4server, errno(syscall.EHOSTUNREACH)),
			event(connect, v4, v4server, failed(uint32(bpf.ConnectionFailureERROR_ABORTED))),
			event(connect, "0.0.0.0:0", v4server, errno(syscall.EADDRNOTAVAIL), func(e *bpf.ConnectionEvent) { e.Duration = 0 }),
			event(connect, "0.0.0.0:0", v4server, failed(uint32(bpf.ConnectionFailureERROR_OTHER))),
		},
		"causes.yaml": {
			event(connect, v4, v4server, errno(syscall.ETIMEDOUT), caused(bpf.ConnectionCauseCAUSE_LOCAL_DROP, 2, 3)),
			event(connect, v4, v4server, errno(syscall.ETIMEDOUT), caused(bpf.ConnectionCauseCAUSE_LOCAL_DROP, 2, 1)),
			event(connect, v4, v4server, failed(uint32(bpf.ConnectionFailureERROR_ABORTED)), caused(bpf.ConnectionCauseCAUSE_LOCAL_DROP, 0, 1)),
			event(connect, v4, v4server, errno(syscall.ECONNREFUSED), caused(bpf.ConnectionCauseCAUSE_REJECTED_HERE, 0, 1)),
			event(connect, v4, v4server, errno(syscall.ECONNREFUSED), caused(bpf.ConnectionCauseCAUSE_RESET_BY_PEER, 0, 0)),
			event(connect, v4, v4server, errno(syscall.EHOSTUNREACH), caused(bpf.ConnectionCauseCAUSE_ICMP_UNREACHABLE, 1, 0)),
			event(connect, v4, v4server, errno(syscall.ETIMEDOUT), caused(bpf.ConnectionCauseCAUSE_NO_ANSWER, 6, 0)),
			event(connect, v4, v4server, failed(uint32(bpf.ConnectionFailureERROR_ABORTED)), caused(bpf.ConnectionCauseCAUSE_GAVE_UP, 0, 0)),
			event(connect, v4, v4server, errno(syscall.EADDRNOTAVAIL), caused(bpf.ConnectionCauseCAUSE_NO_LOCAL_PORT, 0, 0)),
			event(connect, "0.0.0.0:0", v4server, errno(syscall.ENETUNREACH), caused(bpf.ConnectionCauseCAUSE_NO_ROUTE, 0, 0), atOnce),
			event(connect, "0.0.0.0:0", v4server, errno(syscall.EPERM), caused(bpf.ConnectionCauseCAUSE_DENIED, 0, 0), atOnce),
			event(connect, v4, v4server, errno(syscall.EPERM), caused(bpf.ConnectionCauseCAUSE_DENIED, 0, 0), datagram),
			event(closed, v4, v4server, totals, errno(syscall.ETIMEDOUT), caused(bpf.ConnectionCauseCAUSE_PEER_VANISHED, 9, 9)),
			event(closed, v4, v4server, totals, errno(syscall.ECONNRESET), caused(bpf.ConnectionCauseCAUSE_REJECTED_HERE, 0, 1)),
			event(closed, v4, v4server, totals, errno(syscall.ECONNRESET), func(e *bpf.ConnectionEvent) { e.Ending.Cause = 200 }), // unknown
		},
		"accept.yaml": {
			event(accept, v4server, v4, server),
			event(accept, v6server, v6, server, web),
			event(accept, v4server, v4, server, withoutOwner),
		},
		"join.yaml": { // further subflows; a failed one is INFO
			event(bpf.ConnectionEventIdEVENT_JOIN, v4, v4server, subflow),
			event(bpf.ConnectionEventIdEVENT_JOIN, v6server, v6, server, subflow),
			event(bpf.ConnectionEventIdEVENT_JOIN, v4, v4server, subflow, errno(syscall.ECONNREFUSED)),
			event(closed, v4, v4server, totals, subflow),
		},
		"link_local.yaml": {
			event(connect, "[fe80::1]:40000", "[fe80::77]:443", on("eth0")),
			event(accept, "[fe80::77]:443", "[fe80::1]:40000", server, on("eth1")),
		},
		"close.yaml": {
			event(closed, v4, v4server, totals),
			event(closed, v6server, v6, server, totals, web),
			event(closed, v4, v4server, totals, errno(syscall.ECONNRESET)),
			event(closed, v4, v4server, totals, failed(uint32(bpf.ConnectionFailureERROR_ABORTED))),
			event(closed, v4, v4server, unmeasured),
			event(closed, v4server, v4, server, totals, func(e *bpf.ConnectionEvent) { e.Duration = 0 }), // older than the receiver
		},
		"udp.yaml": {
			event(connect, "0.0.0.0:0", "192.0.2.53:53", datagram),
			event(connect, "[::]:0", "[2001:db8::53]:443", datagram, web),
			event(connect, "10.0.0.9:5353", "224.0.0.251:5353", datagram),
			event(connect, "10.0.0.9:41000", "192.0.2.9:443", datagram, onlyConnected),
			event(connect, "0.0.0.0:0", "192.0.2.9:443", datagram, onlyConnected, errno(syscall.ENETUNREACH)),
		},
		"unix.yaml": {
			local("/run/postgresql/.s.PGSQL.5432"),
			local("\x00dbus"),
			local("\x00\x00a\x00"),
			local("", func(e *bpf.ConnectionUnixEvent) { e.Error = uint32(syscall.EINVAL) }),
			local("/run/gone.sock", func(e *bpf.ConnectionUnixEvent) { e.Error, e.Owner.Cgroup = uint32(syscall.ENOENT), programtest.Web }),
			local("/run/caf\xe9", func(e *bpf.ConnectionUnixEvent) { e.Cookie = 0 }), // not UTF-8, and a socket without a number
			local("/"+string(make([]byte, 107)), func(e *bpf.ConnectionUnixEvent) { // the longest name has no terminating zero byte
				for i := range e.Path {
					e.Path[i] = 'x'
				}
			}),
		},
	} {
		t.Run(file, func(t *testing.T) {
			host := programtest.Host(t)
			p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, true)
			for _, record := range records {
				require.NoError(t, p.AppendLog(b, record))
			}
			payload := b.Flush()
			assert.Equal(t, len(records), payload.Count)
			assert.Equal(t, len(records), payload.ByProgram[programtest.Number])
			programtest.CompareLogs(t, file, payload.Logs)
		})
	}
}

func TestBodyOff(t *testing.T) {
	host := programtest.Host(t)
	p, b := newProgram(defaultConfig(), host), programtest.NewBatch(host, false)
	for _, record := range [][]byte{event(connect, "10.0.0.9:1", "10.0.0.5:2"), local("/run/x")} {
		require.NoError(t, p.AppendLog(b, record))
	}
	records := b.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 2, records.Len())
	for _, lr := range records.All() {
		assert.Empty(t, lr.Body().AsString())
		assert.NotZero(t, lr.Attributes().Len())
	}
}

// A path must not contain bytes of a longer path in an earlier record.
func TestRecordsDoNotLeakIntoEachOther(t *testing.T) {
	host := programtest.Host(t)
	p := newProgram(defaultConfig(), host)
	alone, after := programtest.NewBatch(host, true), programtest.NewBatch(host, true)
	short := local("\x00a")
	require.NoError(t, p.AppendLog(alone, short))
	require.NoError(t, p.AppendLog(after, local("\x00a-longer-name")))
	require.NoError(t, p.AppendLog(after, event(closed, "10.0.0.9:1", "10.0.0.5:2", totals)))
	require.NoError(t, p.AppendLog(after, short))
	want := alone.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	got := after.Flush().Logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(2)
	assert.Equal(t, want.Attributes().AsRaw(), got.Attributes().AsRaw())
	assert.Equal(t, want.Body().Str(), got.Body().Str())
}

func TestAppendLogRefuses(t *testing.T) {
	whole, unixRecord := event(connect, "10.0.0.9:1", "10.0.0.5:2"), local("/run/x")
	for name, tt := range map[string]struct {
		record []byte
		want   string
	}{
		"nothing":            {nil, "connection record of 0 bytes is too short"},
		"a header":           {whole[:common.RecordSize], "connection record of 24 bytes is too short"},
		"a byte short":       {whole[:len(whole)-1], "is too short"},
		"unknown event":      {event(9, "10.0.0.9:1", "10.0.0.5:2"), "connection record of unknown event 9"},
		"unix, a byte short": {unixRecord[:len(unixRecord)-1], "is malformed"},
		"unix, a path longer than its place": {
			local("/run/x", func(e *bpf.ConnectionUnixEvent) { e.Length = 109 }), "is malformed",
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := programtest.Host(t)
			b := programtest.NewBatch(host, true)
			require.ErrorContains(t, newProgram(defaultConfig(), host).AppendLog(b, tt.record), tt.want)
			assert.Zero(t, b.Len(), "no log record")
		})
	}
}

func TestEvents(t *testing.T) {
	for _, tt := range []struct {
		connect, accept, close bool
		want                   uint32
	}{
		{true, true, true, 0b111},
		{true, false, false, 1 << connect},
		{false, true, false, 1 << accept},
		{false, false, true, 1 << closed},
		{false, false, false, 0},
	} {
		host := programtest.Host(t)
		host.Events.EbpfConnectionConnect.Enabled = tt.connect
		host.Events.EbpfConnectionAccept.Enabled = tt.accept
		host.Events.EbpfConnectionClose.Enabled = tt.close
		host.Events.EbpfConnectionJoin.Enabled = false
		assert.Equal(t, tt.want, newProgram(defaultConfig(), host).Events())
	}
}

func TestHooks(t *testing.T) {
	datagrams := []string{"cgroup/connect4", "cgroup/connect6", "cgroup/sendmsg4", "cgroup/sendmsg6", "iter/task_file", "tp_btf/inet_sk_error_report"}
	calls := []string{"tracepoint/syscalls/sys_enter_connect", "tracepoint/syscalls/sys_exit_connect", "tp_btf/signal_deliver", "tp_btf/io_uring_submit_req"}
	owners := []string{"tp_btf/sched_process_exit", "tp_btf/sched_process_exec"}
	states := []string{
		"tp_btf/inet_sock_set_state", "tp_btf/tcp_destroy_sock", "fentry/tcp_send_probe0", "tp_btf/kfree_skb",
		"iter/task_file", "iter/task_file", "iter/task_file",
	}
	for _, tt := range []struct {
		protocols []Protocol
		want      [][]string
	}{
		{[]Protocol{TCP}, [][]string{owners, states}},
		{[]Protocol{UDP}, [][]string{owners, datagrams}},
		{[]Protocol{Unix}, [][]string{calls}},
		{[]Protocol{TCP, UDP}, [][]string{owners, datagrams, states}},
		{[]Protocol{Unix, TCP, UDP}, [][]string{owners, datagrams, calls, states}},
	} {
		p := newProgram(&Config{Protocols: tt.protocols}, programtest.Host(t))
		spec, err := p.Spec()
		require.NoError(t, err)
		var got, want []string
		for _, hook := range p.Hooks() {
			got = append(got, hook.Variants[0].Hook)
			for _, v := range hook.Variants {
				assert.Contains(t, spec.Programs, v.Function, "the object must have the function")
			}
		}
		for _, hooks := range tt.want {
			want = append(want, hooks...)
		}
		assert.Equal(t, want, got, "%v", tt.protocols)
	}
}

// The variables that the program sets exist in its object and have the right size.
func TestVariables(t *testing.T) {
	p := newProgram(defaultConfig(), programtest.Host(t))
	spec, err := p.Spec()
	require.NoError(t, err)
	variables := p.Variables()
	require.NotEmpty(t, variables)
	for name, value := range variables {
		require.Contains(t, spec.Variables, name)
		assert.NoError(t, spec.Variables[name].Set(value), name)
	}
}

var _ program.Program = (*connections)(nil)
