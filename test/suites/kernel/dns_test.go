// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/miekg/dns"
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
	lookupEvent       = "ebpf.dns.lookup"
	lookupMetric      = "dns.lookup.duration"
	lookupDurationKey = "ebpf.dns.lookup.duration"
	// everyLookup makes an event of each look-up. The other program shows that earlier events have passed the ring.
	everyLookup = "programs: {connection: {protocols: [tcp]}, dns: {threshold: 1us, event_limit: 1000000}}"
)

func init() {
	counts("dns", forContainer{metrics: []string{lookupMetric}, act: func(t *testing.T, p place) {
		serveNames(t, p.ns, traffic.Addr(testnet.Loopback4, 53), func(query []byte) [][]byte {
			return [][]byte{packed(t, replying(t, query, dns.RcodeSuccess))}
		})
		socket := p.agent.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
		p.agent.SendMessages(socket.FD, traffic.Addr(testnet.Loopback4, 53), asking(t, 1, "container.test", dns.TypeA))
		p.agent.ReceiveMessages(socket.FD, 1)
	}})
}

// lookup returns the attributes of a look-up that the server answered.
func lookup(l lookups, socket traffic.Socket, name, kind, code string, records int) attributes {
	a := connection("udp", "client", socket.Local, l.server, socket.Cookie, l.left).with(attributes{
		"dns.question.name": name, "ebpf.dns.question.type": kind, "ebpf.dns.response.code": code,
		"ebpf.dns.response.records": int64(records), "ebpf.dns.retries": int64(0),
	}).with(owner(l.client, "current"))
	delete(a, "ebpf.connection.role")
	if code != "noerror" {
		a["error.type"] = code
	}
	return a
}

// Each look-up has its process, server, question, answer and duration, whatever the address family.
func TestDNSLookups(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	for _, f := range families[:3] {
		t.Run(f.name, func(t *testing.T) {
			const pause = 20 * time.Millisecond
			l := newLookups(t, f, func(query []byte) [][]byte {
				time.Sleep(pause)
				return [][]byte{packed(t, replying(t, query, dns.RcodeSuccess, "db.example.test. 60 IN A 192.0.2.7", "db.example.test. 60 IN A 192.0.2.8"))}
			})
			connected := l.socket(t)
			sent, answer := l.once(connected, asking(t, 7, "db.example.test", dns.TypeA))
			e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))[0]
			check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, connected, "db.example.test", "A", "noerror", 2).with(attributes{
				"dns.answers": []any{"192.0.2.7", "192.0.2.8"},
			}), lookupDurationKey)
			within(t, e, sent.Start.Add(pause), answer.At)
			between(t, e, lookupDurationKey, pause, answer.At.Sub(sent.Start)+lateTolerance)
			assert.Contains(t, e.Body, "A db.example.test 2 records")

			unconnected := l.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			l.client.SendMessages(unconnected.FD, l.server, asking(t, 7, "db.example.test", dns.TypeA))
			l.client.ReceiveMessages(unconnected.FD, 1)
			r.Wait(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("ebpf.socket.cookie", int64(unconnected.Cookie)))
			e = r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("ebpf.socket.cookie", int64(unconnected.Cookie)))[0]
			check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, unconnected, "db.example.test", "A", "noerror", 2).with(attributes{
				"dns.answers": []any{"192.0.2.7", "192.0.2.8"},
			}), lookupDurationKey)
		})
	}
}

// outcome is an answer with the expected event.
type outcome struct {
	name  string
	query func(*testing.T) []byte
	// answer makes the answers to the query. If there is no expected event, the look-up stays pending.
	answer   func(*testing.T, []byte) [][]byte
	severity plog.SeverityNumber
	want     attributes
}

func simple(name string, kind uint16) func(*testing.T) []byte {
	return func(t *testing.T) []byte { return asking(t, 0x1234, name, kind) }
}

func coded(code int, records ...string) func(*testing.T, []byte) [][]byte {
	return func(t *testing.T, query []byte) [][]byte {
		return [][]byte{packed(t, replying(t, query, code, records...))}
	}
}

// refusing refuses every query.
func refusing(t *testing.T) answering {
	return func(query []byte) [][]byte { return coded(dns.RcodeRefused)(t, query) }
}

func failed(code string) attributes {
	return attributes{"ebpf.dns.response.code": code, "error.type": code, "ebpf.dns.response.records": int64(0), "dns.question.name": "a.test", "ebpf.dns.question.type": "A"}
}

// outcomes are answers of all kinds.
var outcomes = []outcome{
	{name: "no records", query: simple("a.test", dns.TypeA), answer: coded(dns.RcodeSuccess), severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64(0), "dns.question.name": "a.test", "ebpf.dns.question.type": "A",
	}},
	{name: "no such name", query: simple("a.test", dns.TypeA), answer: coded(dns.RcodeNameError), severity: plog.SeverityNumberInfo, want: failed("nxdomain")},
	{name: "server failure", query: simple("a.test", dns.TypeA), answer: coded(dns.RcodeServerFailure), severity: plog.SeverityNumberWarn, want: failed("servfail")},
	{name: "refused", query: simple("a.test", dns.TypeA), answer: coded(dns.RcodeRefused), severity: plog.SeverityNumberWarn, want: failed("refused")},
	{name: "extended code", query: simple("a.test", dns.TypeA), answer: func(t *testing.T, query []byte) [][]byte {
		m := replying(t, query, dns.RcodeSuccess)
		m.SetEdns0(1232, true)
		m.Rcode = dns.RcodeBadVers
		return [][]byte{packed(t, m)}
	}, severity: plog.SeverityNumberWarn, want: failed("badvers")},
	{name: "error without the question", query: simple("a.test", dns.TypeA), answer: func(_ *testing.T, query []byte) [][]byte {
		return [][]byte{{query[0], query[1], 0x81, dns.RcodeFormatError, 0, 0, 0, 0, 0, 0, 0, 0}}
	}, severity: plog.SeverityNumberWarn, want: failed("formerr")},
	{name: "chain of names", query: simple("www.a.test", dns.TypeAAAA), answer: coded(dns.RcodeSuccess,
		"www.a.test. 300 IN CNAME front.a.test.", "front.a.test. 20 IN CNAME edge.b.test.", "edge.b.test. 5 IN AAAA 2001:db8::7"), severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64(3), "dns.question.name": "www.a.test",
		"ebpf.dns.question.type": "AAAA", "ebpf.dns.canonical_name": "edge.b.test", "dns.answers": []any{"2001:db8::7"},
	}},
	{name: "truncated", query: simple("a.test", dns.TypeTXT), answer: func(t *testing.T, query []byte) [][]byte {
		m := replying(t, query, dns.RcodeSuccess)
		m.Truncated = true
		return [][]byte{packed(t, m)}
	}, severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64(0), "ebpf.dns.response.truncated": true,
		"dns.question.name": "a.test", "ebpf.dns.question.type": "TXT",
	}},
	{name: "international name", query: simple("xn--bcher-kva.test", dns.TypeMX), answer: coded(dns.RcodeSuccess, "xn--bcher-kva.test. 60 IN MX 10 mail.test."), severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64(1), "dns.question.name": "xn--bcher-kva.test", "ebpf.dns.question.type": "MX",
	}},
	{name: "dots and other characters in labels", query: simple(`first\.last.\"\000\n\009\255.test`, dns.TypeA), answer: coded(dns.RcodeNameError), severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "nxdomain", "error.type": "nxdomain", "ebpf.dns.response.records": int64(0),
		"dns.question.name": `first\.last.\"\000n\009\255.test`, "ebpf.dns.question.type": "A",
	}},
	{name: "the root, and a type without a name", query: func(t *testing.T) []byte { return asking(t, 1, ".", 65280) }, answer: coded(dns.RcodeSuccess), severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64(0), "dns.question.name": ".", "ebpf.dns.question.type": "TYPE65280",
	}},
	{name: "other cases of letters", query: simple("aBc.TeSt", dns.TypeA), answer: func(t *testing.T, query []byte) [][]byte {
		m := replying(t, query, dns.RcodeNameError)
		m.Question[0].Name = "AbC.tEsT."
		return [][]byte{packed(t, m)}
	}, severity: plog.SeverityNumberInfo, want: attributes{
		"ebpf.dns.response.code": "nxdomain", "error.type": "nxdomain", "ebpf.dns.response.records": int64(0), "dns.question.name": "aBc.TeSt", "ebpf.dns.question.type": "A",
	}},
	{name: "wrong answers before the right one", query: simple("a.test", dns.TypeA), answer: func(t *testing.T, query []byte) [][]byte {
		otherID, otherName, right := replying(t, query, dns.RcodeRefused), replying(t, query, dns.RcodeRefused), replying(t, query, dns.RcodeNameError)
		otherID.Id++
		otherName.Question[0].Name = "b.test."
		loop := packed(t, replying(t, query, dns.RcodeRefused))
		loop = append(loop[:12], 0xc0, 12, 0, 1, 0, 1) // a name that points to itself
		return [][]byte{packed(t, otherID), packed(t, otherName), loop, {1, 2, 3}, {}, query, packed(t, right), packed(t, otherName)}
	}, severity: plog.SeverityNumberInfo, want: failed("nxdomain")},
	{name: "several questions", query: func(t *testing.T) []byte {
		m := new(dns.Msg).SetQuestion("a.test.", dns.TypeA)
		m.Question = append(m.Question, dns.Question{Name: "b.test.", Qtype: dns.TypeAAAA, Qclass: dns.ClassINET})
		return packed(t, m)
	}, answer: func(t *testing.T, query []byte) [][]byte {
		var q dns.Msg
		require.NoError(t, q.Unpack(query))
		m := new(dns.Msg).SetRcode(&q, dns.RcodeFormatError)
		m.Question = q.Question
		return [][]byte{packed(t, m)}
	}, severity: plog.SeverityNumberWarn, want: failed("formerr")},
	{name: "more than a record holds", query: simple("a.test", dns.TypeA), answer: func(t *testing.T, query []byte) [][]byte {
		m := replying(t, query, dns.RcodeSuccess)
		for i := range 500 { // of 16 bytes each
			record, err := dns.NewRR(fmt.Sprintf("a.test. 60 IN A 10.0.%d.%d", i/256, i%256))
			require.NoError(t, err)
			m.Answer = append(m.Answer, record)
		}
		return [][]byte{packed(t, m)}
	}, severity: plog.SeverityNumberInfo, want: attributes{
		// 12 bytes of the header, 12 of the question.
		"ebpf.dns.response.code": "noerror", "ebpf.dns.response.records": int64((2048 - 24) / 16), "dns.question.name": "a.test", "ebpf.dns.question.type": "A",
	}},
}

func TestDNSAnswers(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	var current atomic.Pointer[outcome]
	l := newLookups(t, families[0], func(query []byte) [][]byte { return current.Load().answer(t, query) })
	for _, o := range outcomes {
		t.Run(o.name, func(t *testing.T) {
			current.Store(&o)
			socket := l.socket(t)
			l.once(socket, o.query(t))
			e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("ebpf.socket.cookie", int64(socket.Cookie)))[0]
			want := lookup(l, socket, "", "", "noerror", 0).with(o.want)
			if o.name == "more than a record holds" {
				assert.Len(t, e.Attributes["dns.answers"], (2048-24)/16)
				delete(e.Attributes, "dns.answers")
			}
			check(t, e, lookupEvent, o.severity, want, lookupDurationKey)
			l.client.Close(socket.FD)
		})
	}
}

// Other traffic on the port is not a look-up, and later look-ups are reported.
func TestDNSOtherTraffic(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, dns: {threshold: 1us, timeout: 50ms}}")
	l := newLookups(t, families[0], func(query []byte) [][]byte { return [][]byte{query} })
	socket := l.socket(t)
	update := new(dns.Msg).SetUpdate("a.test.")
	l.client.SendMessages(socket.FD, netip.AddrPort{}, []byte{}, []byte{1}, make([]byte, 11), make([]byte, 12), make([]byte, 1400),
		packed(t, update), packed(t, replying(t, asking(t, 1, "a.test", dns.TypeA), dns.RcodeSuccess)), asking(t, 1, "a.test", dns.TypeA)[:20])
	conn := l.client.Connect(l.server)
	l.client.SendMessages(conn.FD, netip.AddrPort{}, []byte{0, 0, 0, 3, 1, 2, 3, 0xff, 0xff}, make([]byte, 3000))
	l.client.Close(conn.FD)
	l.once(socket, asking(t, 2, "last.test", dns.TypeA)) // the server sends the query back
	events := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))
	assert.Equal(t, "last.test", events[0].Attributes["dns.question.name"])
	assert.Equal(t, "timed_out", events[0].Attributes["error.type"])
	assert.Empty(t, lost(r.Scrape(t), "dns"))
}

// A look-up without an answer times out after its last retry. The duration of one with a late answer begins with its first query.
func TestDNSRetries(t *testing.T) {
	testnet.Require(t)
	const pause = 100 * time.Millisecond
	patience := testenv.Patiently(400 * time.Millisecond)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, dns: {threshold: 1us, timeout: "+patience.String()+"}}")
	var queries atomic.Int32
	l := newLookups(t, families[0], func(query []byte) [][]byte {
		if queries.Add(1) < 3 || strings.Contains(string(query), "never") {
			return nil
		}
		return [][]byte{packed(t, replying(t, query, dns.RcodeSuccess, "late.test. 60 IN A 192.0.2.1"))}
	})
	socket, other := l.socket(t), l.socket(t)

	late := asking(t, 9, "late.test", dns.TypeA)
	first := l.client.SendMessages(socket.FD, netip.AddrPort{}, late)
	time.Sleep(pause)
	l.client.SendMessages(socket.FD, netip.AddrPort{}, late)
	time.Sleep(pause)
	_, answer := l.once(other, late) // the same id, as resolvers do it
	e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))[0]
	check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, other, "late.test", "A", "noerror", 1).with(attributes{
		"dns.answers": []any{"192.0.2.1"}, "ebpf.dns.retries": int64(2),
	}), lookupDurationKey)
	between(t, e, lookupDurationKey, 2*pause, answer.At.Sub(first.Start)+lateTolerance)
	assert.Contains(t, e.Body, "2 retries")

	never := asking(t, 10, "never.test", dns.TypeAAAA)
	first = l.client.SendMessages(socket.FD, netip.AddrPort{}, never)
	time.Sleep(pause)
	last := l.client.SendMessages(socket.FD, netip.AddrPort{}, never)
	e = r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("dns.question.name", "never.test"))[0]
	want := lookup(l, socket, "never.test", "AAAA", "timed_out", 0).with(attributes{"ebpf.dns.retries": int64(1)})
	delete(want, "ebpf.dns.response.code")
	delete(want, "ebpf.dns.response.records")
	check(t, e, lookupEvent, plog.SeverityNumberWarn, want, lookupDurationKey)
	within(t, e, last.Start.Add(patience), last.End.Add(patience))
	between(t, e, lookupDurationKey, pause+patience, last.End.Sub(first.Start)+patience)
	p, ok := r.Scrape(t).Histogram(lookupMetric, testreceiver.Attributes{"ebpf.dns.question.type": "AAAA", "network.transport": "udp", "error.type": "timed_out"})
	require.True(t, ok)
	assert.EqualValues(t, 1, p.Count())
}

// Two queries in one call, as the C library sends them.
func TestDNSQueriesTogether(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	l := newLookups(t, families[1], func(query []byte) [][]byte {
		record := "both.test. 60 IN A 192.0.2.1"
		if query[1] == 2 {
			record = "both.test. 60 IN AAAA 2001:db8::1"
		}
		return [][]byte{packed(t, replying(t, query, dns.RcodeSuccess, record))}
	})
	socket := l.socket(t)
	l.client.SendTogether(socket.FD, asking(t, 1, "both.test", dns.TypeA), asking(t, 2, "both.test", dns.TypeAAAA))
	l.client.ReceiveMessages(socket.FD, 2)
	r.Exactly(t, 2, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))
	for kind, address := range map[string]string{"A": "192.0.2.1", "AAAA": "2001:db8::1"} {
		e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID), testreceiver.With("ebpf.dns.question.type", kind))[0]
		check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, socket, "both.test", kind, "noerror", 1).with(attributes{
			"dns.answers": []any{address},
		}), lookupDurationKey)
	}
}

// Over TCP a message may come in parts, and a segment may have several messages.
func TestDNSOverTCP(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	const many = 300 // records of 16 bytes each, in more than a record of the ring
	l := newLookups(t, families[0], func(query []byte) [][]byte {
		m := replying(t, query, dns.RcodeSuccess)
		name := m.Question[0].Name
		count := 1
		if strings.HasPrefix(name, "large") {
			count = many
		}
		for i := range count {
			record, err := dns.NewRR(fmt.Sprintf("%s 60 IN A 10.0.%d.%d", name, i/256, i%256))
			require.NoError(t, err)
			m.Answer = append(m.Answer, record)
		}
		whole := prefixed(packed(t, m))
		if strings.HasPrefix(name, "split") {
			return [][]byte{whole[:1], whole[1:5], whole[5:20], whole[20:]}
		}
		return [][]byte{whole}
	})
	conn := l.client.Connect(l.server)
	require.Zero(t, conn.Errno)
	names := []string{"one.test", "split.test", "large.test", "two.test", "three.test"}
	var together []byte
	for i, name := range names[2:] {
		together = append(together, prefixed(asking(t, uint16(i), name, dns.TypeA))...)
	}
	l.client.SendMessages(conn.FD, netip.AddrPort{}, prefixed(asking(t, 1, names[0], dns.TypeA)))
	l.client.ReceiveMessages(conn.FD, 1)
	split := prefixed(asking(t, 1, names[1], dns.TypeA))
	for _, part := range [][]byte{split[:1], split[1:2], split[2:15], split[15:]} {
		l.client.SendMessages(conn.FD, netip.AddrPort{}, part)
		acknowledgeAll(t, l.client, conn.FD)
	}
	l.client.SendMessages(conn.FD, netip.AddrPort{}, together)
	r.Exactly(t, len(names), testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))
	for _, name := range names {
		e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("dns.question.name", name))[0]
		count := 1
		if name == "large.test" {
			count = many
		}
		assert.Len(t, e.Attributes["dns.answers"], count)
		delete(e.Attributes, "dns.answers")
		check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, conn.Socket, name, "A", "noerror", count).with(attributes{
			"network.transport": "tcp",
		}), lookupDurationKey)
	}
	p, ok := r.Scrape(t).Histogram(lookupMetric, testreceiver.Attributes{"ebpf.dns.question.type": "A", "network.transport": "tcp"})
	require.True(t, ok)
	assert.EqualValues(t, len(names), p.Count())
}

// With a resolver on the host there are two look-ups: that of the process, and the resolver's own. Each counts once, although both
// ends are on the loopback interface.
func TestDNSByLocalResolver(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	l := newLookups(t, families[0], func(query []byte) [][]byte {
		return [][]byte{packed(t, replying(t, query, dns.RcodeSuccess, "host.test. 60 IN A 192.0.2.1"))}
	})
	asking, resolving := testhost.NewContainer(t), testhost.NewContainer(t)
	resolver := traffic.Start(t, l.left, traffic.In(resolving))
	client := traffic.Start(t, l.left, traffic.In(asking))
	at := traffic.Addr(netip.MustParseAddr("127.0.0.53"), 53)
	listening := resolver.OpenUDP(at)
	upstream := resolver.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
	socket := client.OpenUDP(traffic.Addr(testnet.Loopback4, 0))

	m := new(dns.Msg).SetQuestion("host.test.", dns.TypeA)
	client.SendMessages(socket.FD, at, packed(t, m))
	query := resolver.ReceiveMessages(listening.FD, 1)[0].Message
	resolver.SendMessages(upstream.FD, l.server, query)
	answer := resolver.ReceiveMessages(upstream.FD, 1)[0].Message
	resolver.SendMessages(listening.FD, socket.Local, answer)
	client.ReceiveMessages(socket.FD, 1)

	for a, server := range map[*traffic.Agent]netip.Addr{client: at.Addr(), resolver: l.server.Addr()} {
		e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(a.PID))[0]
		assert.Equal(t, server.String(), e.Attributes["server.address"])
		assert.Equal(t, []any{"192.0.2.1"}, e.Attributes["dns.answers"])
	}
	r.Exactly(t, 2, testreceiver.Named(lookupEvent), testreceiver.With("dns.question.name", "host.test"))
	s := r.Scrape(t)
	for _, container := range []*testhost.Cgroup{asking, resolving} {
		p, ok := s.In(container).Histogram(lookupMetric, testreceiver.Attributes{"ebpf.dns.question.type": "A", "network.transport": "udp"})
		require.True(t, ok)
		assert.EqualValues(t, 1, p.Count())
	}
}

// The metric has each look-up with its duration, also without events. It has names if its attributes list them.
func TestDNSMetric(t *testing.T) {
	testnet.Require(t)
	const pause, count = 5 * time.Millisecond, 20
	r := testreceiver.Start(t, "exclude: {executables: [kernel-test-left-out]}\nprograms: {dns: {events: false}, connection: {protocols: [tcp]}}\n"+
		"metrics: {dns.lookup.duration: {attributes: [dns.question.name, error.type]}}")
	answer := func(query []byte) [][]byte {
		time.Sleep(pause)
		code := dns.RcodeSuccess
		if strings.Contains(string(query), "missing") {
			code = dns.RcodeNameError
		}
		return [][]byte{packed(t, replying(t, query, code))}
	}
	container := testhost.NewContainer(t)
	l := newLookups(t, families[0], answer, traffic.In(container))
	left := traffic.Start(t, l.left, traffic.In(container), traffic.Named("kernel-test-left-out", "main"))
	socket, excluded := l.socket(t), left.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	var took time.Duration
	for i := range count {
		sent, answer := l.once(socket, asking(t, uint16(i), "There.Test", dns.TypeA))
		took += answer.At.Sub(sent.Start)
		l.once(socket, asking(t, uint16(i), "missing.test", dns.TypeAAAA))
		left.SendMessages(excluded.FD, l.server, asking(t, uint16(i), "excluded.test", dns.TypeA))
		left.ReceiveMessages(excluded.FD, 1)
	}
	r.Settle(t)
	m := r.Scrape(t).In(container)
	there, ok := m.Histogram(lookupMetric, testreceiver.Attributes{"dns.question.name": "there.test"})
	require.True(t, ok)
	assert.EqualValues(t, count, there.Count())
	assert.GreaterOrEqual(t, there.Sum(), (count * pause).Seconds())
	assert.LessOrEqual(t, there.Sum(), (took + count*clockTolerance).Seconds())
	missing, ok := m.Histogram(lookupMetric, testreceiver.Attributes{"dns.question.name": "missing.test", "error.type": "nxdomain"})
	require.True(t, ok)
	assert.EqualValues(t, count, missing.Count())
	_, ok = m.Histogram(lookupMetric, testreceiver.Attributes{"dns.question.name": "excluded.test"})
	assert.False(t, ok)
	assert.Empty(t, r.Events.Matching(testreceiver.Named(lookupEvent)))
}

// By default, only failed and slow look-ups are events.
func TestDNSDefaultEvents(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, dns: {}}")
	l := newLookups(t, families[0], func(query []byte) [][]byte {
		code := dns.RcodeSuccess
		switch {
		case strings.Contains(string(query), "slow"):
			time.Sleep(110 * time.Millisecond)
		case strings.Contains(string(query), "fails"):
			code = dns.RcodeServerFailure
		}
		return [][]byte{packed(t, replying(t, query, code))}
	})
	socket := l.socket(t)
	for i, name := range []string{"fast.test", "slow.test", "fails.test"} {
		l.once(socket, asking(t, uint16(i), name, dns.TypeA))
	}
	r.Wait(t, 2, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))
	r.Settle(t)
	var names []any
	for _, e := range r.Events.Matching(testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID)) {
		names = append(names, e.Attributes["dns.question.name"])
	}
	assert.Subset(t, names, []any{"slow.test", "fails.test"})
	if testenv.Patiently(time.Second) == time.Second { // an emulator may be slow
		assert.Len(t, names, 2)
	}
}

// The kernel translates the query to another server. The event has the server that the process asked if its socket is connected, even
// if the port differs.
func TestDNSTranslated(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			l := lookups{clientServer: newClientServer(t), server: traffic.Addr(f.dial, 53)}
			backend := traffic.Addr(f.listen, 5353)
			serveNames(t, l.right, backend, func(query []byte) [][]byte {
				return [][]byte{packed(t, replying(t, query, dns.RcodeRefused))}
			})
			l.left.Translate(t, unix.IPPROTO_UDP, l.server, backend)
			socket := l.socket(t)
			l.once(socket, asking(t, 3, "service.test", dns.TypeA))
			e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("ebpf.socket.cookie", int64(socket.Cookie)))[0]
			check(t, e, lookupEvent, plog.SeverityNumberWarn, lookup(l, socket, "service.test", "A", "refused", 0), lookupDurationKey)
		})
	}
}

// An unconnected socket does not have its server. The event has the server that the kernel sends the query to, if the port is still 53.
func TestDNSTranslatedUnconnected(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			l := newLookups(t, f, refusing(t))
			otherPort := traffic.Addr(f.listen, 5353)
			serveNames(t, l.right, otherPort, refusing(t))
			services := []netip.AddrPort{
				netip.MustParseAddrPort("198.18.5.1:53"), netip.MustParseAddrPort("198.18.5.2:53"),
			}
			if f.dial.Is6() {
				services = []netip.AddrPort{netip.MustParseAddrPort("[2001:db8:5::1]:53"), netip.MustParseAddrPort("[2001:db8:5::2]:53")}
			}
			l.left.AddRoute(t, testnet.Left.Device, netip.PrefixFrom(services[0].Addr(), services[0].Addr().BitLen()-8), f.dial)
			for i, to := range []netip.AddrPort{l.server, otherPort} {
				l.left.Translate(t, unix.IPPROTO_UDP, services[i], to)
			}
			socket := l.client.OpenUDP(traffic.Addr(f.clientAddress(), 0))
			for i := range services {
				l.client.SendMessages(socket.FD, services[len(services)-1-i], asking(t, uint16(i), "service.test", dns.TypeA))
				l.client.ReceiveMessages(socket.FD, 1)
			}
			e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.With("ebpf.socket.cookie", int64(socket.Cookie)))[0]
			check(t, e, lookupEvent, plog.SeverityNumberWarn, lookup(l, socket, "service.test", "A", "refused", 0), lookupDurationKey)
		})
	}
}

// The answer comes from another address than the query went to. The server is the one that was asked.
func TestDNSFromAnotherAddress(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, everyLookup)
	l := lookups{clientServer: newClientServer(t), server: traffic.Addr(testnet.Right.IPv4, 53)}
	other := netip.MustParsePrefix("198.18.0.200/24")
	l.right.AddAddress(t, testnet.Right.Device, other)
	asked, answering := l.clientServer.server.OpenUDP(l.server), l.clientServer.server.OpenUDP(traffic.Addr(other.Addr(), 53))
	socket := l.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	query := asking(t, 1, "a.test", dns.TypeA)
	l.client.SendMessages(socket.FD, l.server, query)
	l.clientServer.server.ReceiveMessages(asked.FD, 1)
	l.clientServer.server.SendMessages(answering.FD, socket.Local, packed(t, replying(t, query, dns.RcodeNameError)))
	l.client.ReceiveMessages(socket.FD, 1)
	e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))[0]
	check(t, e, lookupEvent, plog.SeverityNumberInfo, lookup(l, socket, "a.test", "A", "nxdomain", 0), lookupDurationKey)
}

// Messages of DNS on other ports, such as that of multicast DNS, are left out.
func TestDNSOtherPorts(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, dns: {threshold: 1us, timeout: 1ms}}")
	l := newLookups(t, families[0], refusing(t))
	socket := l.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0))
	for _, port := range []uint16{5353, 54, 13568 /* 53 in the other byte order */} {
		at := traffic.Addr(l.server.Addr(), port)
		serveNames(t, l.right, at, refusing(t))
		l.client.SendMessages(socket.FD, at, asking(t, 1, "other.test", dns.TypeA))
		l.client.ReceiveMessages(socket.FD, 1)
	}
	l.client.SendMessages(socket.FD, l.server, asking(t, 1, "last.test", dns.TypeA))
	l.client.ReceiveMessages(socket.FD, 1)
	e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(l.client.PID))[0]
	assert.Equal(t, "last.test", e.Attributes["dns.question.name"])
}

// A connection has the name that its process has looked up, if it is the only name of the address.
func TestDNSServerDomain(t *testing.T) {
	testnet.Require(t)
	const domain = "ebpf.server.domain"
	r := testreceiver.Start(t, "programs: {connection: {}, dns: {}}")
	for _, f := range families[:2] {
		t.Run(f.name, func(t *testing.T) {
			kind, name := dns.TypeA, "A"
			if f.dial.Is6() {
				kind, name = dns.TypeAAAA, "AAAA"
			}
			l := newLookups(t, f, func(query []byte) [][]byte {
				m := replying(t, query, dns.RcodeSuccess, "www.test. 5 IN CNAME edge.test.", "edge.test. 5 IN "+name+" "+f.dial.String())
				return [][]byte{packed(t, m)}
			})
			other := netip.MustParsePrefix("198.18.0.200/24")
			l.right.AddAddress(t, testnet.Right.Device, other)
			stranger := traffic.Start(t, l.left)
			listener := traffic.Addr(f.dial, l.clientServer.server.Listen(traffic.Addr(f.listen, 0)).Local.Port())
			elsewhereAt := l.clientServer.server.Listen(traffic.Addr(other.Addr(), 0)).Local
			socket := l.socket(t)
			connect := func(a *traffic.Agent, to netip.AddrPort) traffic.Conn {
				c := a.Connect(to)
				require.Zero(t, c.Errno)
				return c
			}
			domainOf := func(event string, a *traffic.Agent, c traffic.Conn) any {
				e := r.Exactly(t, 1, testreceiver.Named(event), testreceiver.OfProcess(a.PID), testreceiver.With("client.port", int64(c.Local.Port())))[0]
				return e.Attributes[domain]
			}
			before := connect(l.client, listener)
			l.once(socket, asking(t, 1, "www.test", kind))
			known := connect(l.client, listener)
			elsewhere := connect(l.client, elsewhereAt)
			others := connect(stranger, listener)
			l.client.Close(known.FD)
			assert.Nil(t, domainOf(connectEvent, l.client, before))
			assert.Equal(t, "www.test", domainOf(connectEvent, l.client, known))
			assert.Equal(t, "www.test", domainOf(closeEvent, l.client, known))
			assert.Nil(t, domainOf(connectEvent, l.client, elsewhere))
			assert.Nil(t, domainOf(connectEvent, stranger, others))
			for _, e := range r.Events.Matching(testreceiver.Named(acceptEvent)) {
				assert.NotContains(t, e.Attributes, domain)
			}

			l.once(socket, asking(t, 2, "other.test", kind))
			assert.Nil(t, domainOf(connectEvent, l.client, connect(l.client, listener)), "two names lead there")
		})
	}
}

// The resolver of the C library.
func TestDNSByLibrary(t *testing.T) {
	testnet.Require(t)
	tools := []string{"getent", "unshare", "mount"}
	for _, tool := range tools {
		if _, err := exec.LookPath(tool); err != nil {
			testenv.Missing(t, tool+" is not installed")
		}
	}
	r := testreceiver.Start(t, everyLookup)
	l := newLookups(t, families[0], func(query []byte) [][]byte {
		m := replying(t, query, dns.RcodeSuccess)
		if m.Question[0].Qtype == dns.TypeA {
			record, err := dns.NewRR("library.test. 60 IN A 192.0.2.77")
			require.NoError(t, err)
			m.Answer = append(m.Answer, record)
		}
		return [][]byte{packed(t, m)}
	})
	config := filepath.Join(t.TempDir(), "resolv.conf")
	require.NoError(t, os.WriteFile(config, []byte("nameserver "+l.server.Addr().String()+"\noptions edns0\n"), 0o644))
	cmd := exec.Command("unshare", "-m", "sh", "-c", "mount --bind "+config+" /etc/resolv.conf && exec getent ahosts library.test")
	var out []byte
	require.NoError(t, l.left.Run(func() (err error) {
		out, err = cmd.CombinedOutput()
		return err
	}), "%s", out)
	assert.Contains(t, string(out), "192.0.2.77")
	events := r.Exactly(t, 2, testreceiver.Named(lookupEvent), testreceiver.With("dns.question.name", "library.test"))
	for _, e := range events {
		assert.Equal(t, int64(cmd.Process.Pid), e.Attributes["process.pid"])
		assert.Equal(t, "getent", e.Attributes["process.executable.name"])
		assert.Equal(t, "noerror", e.Attributes["ebpf.dns.response.code"])
		assert.Equal(t, l.server.Addr().String(), e.Attributes["server.address"])
	}
	assert.ElementsMatch(t, []any{"A", "AAAA"}, []any{events[0].Attributes["ebpf.dns.question.type"], events[1].Attributes["ebpf.dns.question.type"]})
}
