// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"encoding/binary"
	"net/netip"
	"testing"
	"time"
	"unsafe"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const (
	client4, server4 = "10.0.0.9:51234", "10.0.0.2:53"
	client6, server6 = "[2001:db8::9]:51234", "[2001:db8::2]:53"

	// begin is the time of the first record.
	begin = uint64(programtest.Start)
	ms    = uint64(time.Millisecond)
)

// scene is the program with the events that it emits.
type scene struct {
	*names
	t    testing.TB
	host *program.Host
	b    *batch.Batch
	full int
}

// newScene returns the program with events of all look-ups.
func newScene(t testing.TB) *scene {
	t.Helper()
	s := &scene{t: t, host: programtest.Host(t)}
	s.b = programtest.NewBatch(s.host, true)
	s.host.Emit = func(appendLog func(*batch.Batch)) { appendLog(s.b) }
	s.host.CountFull = func() { s.full++ }
	config := defaultConfig()
	config.Threshold = 1
	s.names = newProgram(config, s.host).(*names)
	return s
}

// query returns the bytes of a query.
func query(t testing.TB, id uint16, name string, kind uint16) []byte {
	t.Helper()
	m := new(dns.Msg).SetQuestion(dns.Fqdn(name), kind)
	m.Id = id
	raw, err := m.Pack()
	require.NoError(t, err)
	return raw
}

// reply returns the bytes of an answer.
func reply(t testing.TB, query []byte, code int, records ...string) []byte {
	t.Helper()
	var q dns.Msg
	require.NoError(t, q.Unpack(query))
	m := new(dns.Msg).SetRcode(&q, code)
	for _, text := range records {
		record, err := dns.NewRR(text)
		require.NoError(t, err)
		m.Answer = append(m.Answer, record)
	}
	raw, err := m.Pack()
	require.NoError(t, err)
	return raw
}

// sentRecord is the record of what a process of a container sends, changed by set.
func sentRecord(at uint64, data []byte, set ...func(*bpf.DNSQuery)) []byte {
	q := &bpf.DNSQuery{Netns: 4026531840, Attribution: uint8(common.AttributionCurrent)}
	q.Record.Program, q.Record.Event, q.Record.Time = programtest.Number, sent, begin+at
	q.Part = bpf.DNSPart{Cookie: 4711, Length: uint32(len(data)), Captured: uint16(len(data)), Transport: inet.ProtocolUDP}
	q.Owner.Pid, q.Owner.Uid, q.Owner.Cgroup = 100, 33, programtest.Web
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&q.Owner.Comm[0])), 16), "curl")
	copy(unsafe.Slice((*byte)(unsafe.Pointer(&q.Owner.Executable[0])), 48), "curl")
	between(client4, server4)(q)
	for _, change := range set {
		change(q)
	}
	return append(append([]byte(nil), programtest.Bytes(q)...), data...)
}

func between(client, server string) func(*bpf.DNSQuery) {
	return func(q *bpf.DNSQuery) {
		from, to := netip.MustParseAddrPort(client), netip.MustParseAddrPort(server)
		q.Flow.Local.Octets, q.Flow.LocalPort = from.Addr().As16(), from.Port()
		q.Flow.Remote.Octets, q.Flow.RemotePort = to.Addr().As16(), to.Port()
	}
}

// on is a query from another socket.
func on(cookie uint64) func(*bpf.DNSQuery) { return func(q *bpf.DNSQuery) { q.Part.Cookie = cookie } }

// nobodys is a query without a known process.
func nobodys(q *bpf.DNSQuery) {
	q.Owner = bpf.DNSQuery{}.Owner
	q.Owner.Cgroup, q.Attribution = programtest.Database, uint8(common.AttributionCgroup)
}

// receivedRecord is the record of what the socket receives.
func receivedRecord(at uint64, data []byte, set ...func(*bpf.DNSAnswer)) []byte {
	a := &bpf.DNSAnswer{}
	a.Record.Program, a.Record.Event, a.Record.Time = programtest.Number, received, begin+at
	a.Part = bpf.DNSPart{Cookie: 4711, Length: uint32(len(data)), Captured: uint16(len(data)), Transport: inet.ProtocolUDP}
	for _, change := range set {
		change(a)
	}
	return append(append([]byte(nil), programtest.Bytes(a)...), data...)
}

func from(cookie uint64) func(*bpf.DNSAnswer) {
	return func(a *bpf.DNSAnswer) { a.Part.Cookie = cookie }
}

func (s *scene) take(records ...[]byte) {
	s.t.Helper()
	for _, record := range records {
		require.NoError(s.t, s.AppendLog(s.b, record))
	}
}

// assertNothingPending checks that no look-up is found any more, in no way.
func (s *scene) assertNothingPending() {
	s.t.Helper()
	p := &s.pending
	assert.Zero(s.t, p.inOrder.Len())
	for _, left := range []any{p.byExchange, p.byQuestion, p.repeated, p.renewed, p.onConnection} {
		assert.Empty(s.t, left)
	}
}

func (s *scene) logs() plog.Logs {
	s.t.Helper()
	logs := s.b.Flush().Logs
	programtest.AssertSound(s.t, logs)
	return logs
}

func TestAppendLogGolden(t *testing.T) {
	s := newScene(t)
	a, aaaa := query(t, 1, "www.example.test", dns.TypeA), query(t, 2, "www.example.test", dns.TypeAAAA)
	unknown, never := query(t, 3, "missing.test", dns.TypePTR), query(t, 4, "never.test", dns.TypeSRV)
	late := query(t, 5, "late.test", dns.TypeA)
	truncated := reply(t, query(t, 6, "text.test", dns.TypeTXT), dns.RcodeSuccess)
	truncated[2] |= 2
	s.take(
		sentRecord(0, a), sentRecord(1, aaaa, between(client6, server6)),
		receivedRecord(ms, reply(t, aaaa, dns.RcodeSuccess, "www.example.test. 30 IN CNAME edge.test.", "edge.test. 5 IN AAAA 2001:db8::7")),
		receivedRecord(3*ms, reply(t, a, dns.RcodeServerFailure)),
		sentRecord(4*ms, unknown, nobodys), receivedRecord(5*ms, reply(t, unknown, dns.RcodeNameError)),
		sentRecord(6*ms, query(t, 6, "text.test", dns.TypeTXT)), receivedRecord(7*ms, truncated),
		sentRecord(8*ms, late), sentRecord(5008*ms, late), sentRecord(8008*ms, late, on(2), between(client4, "10.0.0.3:53")),
		receivedRecord(8010*ms, reply(t, late, dns.RcodeSuccess, "late.test. 5 IN A 192.0.2.1"), from(2)),
		sentRecord(8020*ms, never), sentRecord(9020*ms, never),
	)
	s.expire(begin + 19020*ms)
	programtest.CompareLogs(t, "lookups.yaml", s.logs())
	s.assertNothingPending()
}

// An answer for another socket, id or name, or a second answer, is ignored.
func TestUnexpectedAnswers(t *testing.T) {
	s := newScene(t)
	q := query(t, 1, "a.test", dns.TypeA)
	s.take(sentRecord(0, q))
	s.take(
		receivedRecord(1, reply(t, q, dns.RcodeSuccess), from(1)),
		receivedRecord(1, reply(t, query(t, 2, "a.test", dns.TypeA), dns.RcodeSuccess)),
		receivedRecord(1, reply(t, query(t, 1, "b.test", dns.TypeA), dns.RcodeSuccess)),
		receivedRecord(1, reply(t, query(t, 1, "a.test", dns.TypeAAAA), dns.RcodeSuccess)),
		receivedRecord(1, q), receivedRecord(1, nil), receivedRecord(1, []byte{0, 1, 0x80}),
	)
	assert.Zero(t, s.b.Len())
	s.take(receivedRecord(2, reply(t, query(t, 1, "A.tesT", dns.TypeA), dns.RcodeSuccess)))
	assert.Equal(t, 1, s.b.Len())
	s.take(receivedRecord(3, reply(t, q, dns.RcodeSuccess)))
	assert.Equal(t, 1, s.b.Len())
}

// A look-up times out only when all records up to that time were read.
func TestExpire(t *testing.T) {
	s := newScene(t)
	q, other := query(t, 1, "a.test", dns.TypeA), query(t, 2, "b.test", dns.TypeA)
	s.take(sentRecord(0, q), sentRecord(5000*ms, other), sentRecord(9999*ms, q))
	s.expire(begin + 14999*ms)
	assert.Zero(t, s.b.Len())
	s.expire(begin + 15000*ms)
	assert.Equal(t, 1, s.b.Len())
	s.take(receivedRecord(15001*ms, reply(t, q, dns.RcodeSuccess)), receivedRecord(15001*ms, reply(t, other, dns.RcodeSuccess)))
	assert.Equal(t, 2, s.b.Len(), "one was too late")
}

// Look-ups without room in the table are counted as lost.
func TestPendingIsBounded(t *testing.T) {
	s := newScene(t)
	for i := range maxPending + 5 {
		s.take(sentRecord(uint64(i), query(t, uint16(i), "a.test", dns.TypeA), on(uint64(i))))
	}
	assert.Equal(t, 5, s.full)
	assert.Equal(t, maxPending, s.pending.inOrder.Len())
	s.expire(begin + 1<<40)
	s.assertNothingPending()
}

// A retry has the id of the look-up, or another one some time later.
func TestRetriesWithOtherIDs(t *testing.T) {
	s := newScene(t)
	ask := func(at uint64, id uint16, cookie uint64, set ...func(*bpf.DNSQuery)) {
		s.take(sentRecord(at, query(t, id, "a.test", dns.TypeA), append(set, on(cookie))...))
	}
	answer := func(at uint64, id uint16, cookie uint64) {
		s.take(receivedRecord(at, reply(t, query(t, id, "a.test", dns.TypeA), dns.RcodeRefused), from(cookie)))
	}
	ask(0, 1, 1)
	ask(999*ms, 2, 2)                                               // a retry, with a time-out that began before the first query
	ask(1898*ms, 3, 3)                                              // too soon for one
	ask(2000*ms, 4, 4, between(client4, "10.0.0.3:53"))             // of another server
	ask(2000*ms, 5, 5, func(q *bpf.DNSQuery) { q.Owner.Pid = 101 }) // of another process
	assert.Equal(t, 4, s.pending.inOrder.Len())
	answer(2100*ms, 1, 1) // the first query is answered after all
	answer(2100*ms, 2, 2)
	assert.Equal(t, 3, s.pending.inOrder.Len())
	assert.EqualValues(t, 1, s.logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0).Attributes().AsRaw()["ebpf.dns.retries"])
	answer(2200*ms, 3, 3)
	answer(2200*ms, 4, 4)
	answer(2200*ms, 5, 5)
	assert.Equal(t, 3, s.b.Len())
	s.assertNothingPending()

	// Who asks again after he has given up makes a look-up each time.
	for i := range uint64(4) {
		ask((20000+i*5000)*ms, uint16(i), i)
	}
	s.expire(begin + 1<<40)
	assert.Equal(t, 3+2, s.b.Len())
	s.assertNothingPending()
}

// A process that always asks again, with the same id, has a look-up that times out.
func TestEndlessRetries(t *testing.T) {
	s := newScene(t)
	q := query(t, 1, "a.test", dns.TypeA)
	for at := uint64(0); at < 120; at += 5 {
		s.take(sentRecord(at*1000*ms, q))
	}
	records := s.logs().ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 1, records.Len())
	assert.Equal(t, map[string]any{"ebpf.dns.retries": int64(11), "ebpf.dns.lookup.duration": 60.0, "error.type": "timed_out"}, map[string]any{
		"ebpf.dns.retries":         records.At(0).Attributes().AsRaw()["ebpf.dns.retries"],
		"ebpf.dns.lookup.duration": records.At(0).Attributes().AsRaw()["ebpf.dns.lookup.duration"],
		"error.type":               records.At(0).Attributes().AsRaw()["error.type"],
	})
	assert.Equal(t, 1, s.pending.inOrder.Len())
}

// The sockets of a look-up are bounded, too. The answers to its last queries are known.
func TestExchangesAreBounded(t *testing.T) {
	s := newScene(t)
	q := query(t, 1, "a.test", dns.TypeA)
	for i := range uint64(maxExchanges + 3) {
		s.take(sentRecord(i, q, on(i)), sentRecord(i, q, on(i)))
	}
	assert.Equal(t, 3, s.full)
	assert.Len(t, s.pending.byExchange, maxExchanges)
	s.take(receivedRecord(100, reply(t, q, dns.RcodeRefused), from(2)))
	assert.Zero(t, s.b.Len())
	s.take(receivedRecord(100, reply(t, q, dns.RcodeRefused), from(3)))
	assert.Equal(t, 1, s.b.Len())
	s.assertNothingPending()
}

// Questions that share the id of a socket have answers of their own.
func TestSharedID(t *testing.T) {
	s := newScene(t)
	a, b := query(t, 1, "a.test", dns.TypeA), query(t, 1, "b.test", dns.TypeA)
	s.take(sentRecord(0, a), sentRecord(0, b), receivedRecord(1, reply(t, b, dns.RcodeRefused)), receivedRecord(1, reply(t, a, dns.RcodeNameError)))
	assert.Equal(t, 2, s.b.Len())
	s.assertNothingPending()
}

// What is received costs the same however many look-ups wait. A search among them would take much longer.
func TestPendingIsFoundByKey(t *testing.T) {
	s := newScene(t)
	for i := range maxPending {
		s.take(sentRecord(uint64(i), query(t, uint16(i), "a.test", dns.TypeA), on(uint64(i))))
	}
	noQuestion := []byte{0, 1, 0x80, dns.RcodeFormatError, 0, 0, 0, 0, 0, 0, 0, 0}
	begun := time.Now()
	for i := range uint64(100_000) {
		s.take(receivedRecord(maxPending, noQuestion, from(maxPending+i)))
		s.pending.forget(maxPending + i)
		s.connections.get(i, i)
	}
	assert.Less(t, time.Since(begun), 20*time.Second)
	assert.Equal(t, maxPending, s.pending.inOrder.Len())
}

// tcp changes a record to a segment of a TCP stream.
func tcp(number, expected uint32) func(*bpf.DNSQuery) {
	return func(q *bpf.DNSQuery) {
		q.Part.Transport, q.Part.Sequence, q.Expected = inet.ProtocolTCP, number, expected
	}
}

func tcpAnswer(number uint32) func(*bpf.DNSAnswer) {
	return func(a *bpf.DNSAnswer) { a.Part.Transport, a.Part.Sequence = inet.ProtocolTCP, number }
}

func prefixed(message []byte) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(message))), message...)
}

// Segments are repeated and out of order. One of them has the process.
func TestLookupsOverTCP(t *testing.T) {
	s := newScene(t)
	first, second := query(t, 1, "a.test", dns.TypeA), query(t, 2, "b.test", dns.TypeA)
	queries := append(prefixed(first), prefixed(second)...)
	answers := append(prefixed(reply(t, second, dns.RcodeRefused)), prefixed(reply(t, first, dns.RcodeNameError))...)
	const here, there = 1<<32 - 10, 77 // sequence numbers wrap around
	s.take(
		sentRecord(0, queries[:5], tcp(here, there)), sentRecord(1, queries[5:], tcp(here+5&(1<<32-1), there), nobodys),
		sentRecord(2, queries, tcp(here, there)),
		receivedRecord(4, answers[30:], tcpAnswer(there+30)), receivedRecord(5, answers[:10], tcpAnswer(there)),
		receivedRecord(6, answers[:30], tcpAnswer(there)),
	)
	logs := s.logs()
	require.Equal(t, 1, logs.ResourceLogs().Len(), "both are of the process")
	records := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords()
	require.Equal(t, 2, records.Len())
	for i, failure := range []string{"refused", "nxdomain"} {
		attributes := records.At(i).Attributes().AsRaw()
		assert.Equal(t, failure, attributes["error.type"])
		assert.Equal(t, "tcp", attributes["network.transport"])
		assert.Equal(t, int64(100), attributes["process.pid"])
	}
}

// If the beginning of an answer is lost, no look-up of the connection is reported as timed out.
func TestLostAnswersOverTCP(t *testing.T) {
	s := newScene(t)
	q := query(t, 1, "a.test", dns.TypeA)
	s.take(sentRecord(0, prefixed(q), tcp(1, 1)))
	s.take(receivedRecord(1, nil, tcpAnswer(1), func(a *bpf.DNSAnswer) { a.Part.Length = 5000 }))
	s.expire(begin + 1<<40)
	assert.Zero(t, s.b.Len())
	// The next message begins with a new segment.
	s.take(sentRecord(2, prefixed(q), tcp(uint32(1+len(prefixed(q))), 5001)), receivedRecord(3, prefixed(reply(t, q, dns.RcodeRefused)), tcpAnswer(5001)))
	assert.Equal(t, 1, s.b.Len())
}

func TestConnectionsAreBounded(t *testing.T) {
	s := newScene(t)
	for i := range maxConnections + 10 {
		s.take(receivedRecord(uint64(i), []byte{0}, from(uint64(i+1)), tcpAnswer(1)))
	}
	assert.Len(t, s.connections.byCookie, maxConnections)
	assert.NotContains(t, s.connections.byCookie, uint64(10))
	assert.Contains(t, s.connections.byCookie, uint64(11))
	s.connections.dropIdle(begin + maxConnections + connectionIdle)
	assert.Len(t, s.connections.byCookie, 10)
}

func TestAppendLogErrors(t *testing.T) {
	s := newScene(t)
	whole := sentRecord(0, query(t, 1, "a.test", dns.TypeA))
	for _, raw := range [][]byte{nil, whole[:8], whole[:100], whole[:len(whole)-1], receivedRecord(0, make([]byte, 20))[:50]} {
		require.Error(t, s.AppendLog(s.b, raw))
	}
	other := append([]byte(nil), whole...)
	other[1] = 7
	require.ErrorContains(t, s.AppendLog(s.b, other), "unknown event 7")
	assert.EqualValues(t, 6, s.names.read)
}

func BenchmarkLookup(b *testing.B) {
	s := newScene(b)
	s.config.Threshold = time.Hour
	q := query(b, 1, "www.example.test", dns.TypeA)
	there, back := sentRecord(0, q), receivedRecord(ms, reply(b, q, dns.RcodeSuccess, "www.example.test. 5 IN A 192.0.2.1"))
	for b.Loop() {
		_ = s.AppendLog(s.b, there)
		_ = s.AppendLog(s.b, back)
	}
}
