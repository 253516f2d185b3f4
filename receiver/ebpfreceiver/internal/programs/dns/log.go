// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"net/netip"
	"strconv"

	"github.com/miekg/dns"
	"go.opentelemetry.io/collector/pdata/plog"
	conventions "go.opentelemetry.io/otel/semconv/v1.43.0"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// timedOut is the error.type of a look-up without an answer.
const timedOut = "timed_out"

// errorType returns error.type, "" for a successful look-up.
func (l *lookup) errorType() string {
	switch {
	case l.answer == nil:
		return timedOut
	case l.answer.code == dns.RcodeSuccess:
		return ""
	default:
		return codeName(l.answer.code)
	}
}

// severity returns WARN if the process got no answer to its question. That a name does not exist is an answer.
func (l *lookup) severity() plog.SeverityNumber {
	if l.answer != nil && (l.answer.code == dns.RcodeSuccess || l.answer.code == dns.RcodeNameError) {
		return plog.SeverityNumberInfo
	}
	return plog.SeverityNumberWarn
}

// appendLookup appends the event of a finished look-up.
func (n *names) appendLookup(b *batch.Batch, l *lookup) {
	event := b.EventAt(n.host.Clock.Wall(l.end), l.owner.Cgroup, "ebpf.dns.lookup", l.severity())
	event.PutStr(string(conventions.DNSQuestionNameKey), l.question.name)
	event.PutStr("ebpf.dns.question.type", l.question.kindName())
	putAnswer(event, l.answer)
	event.PutDouble("ebpf.dns.lookup.duration", float64(l.end-l.first)/1e9)
	event.PutInt("ebpf.dns.retries", int64(l.retries))
	event.PutStr(string(conventions.ErrorTypeKey), l.errorType())
	event.PutStr(string(conventions.NetworkTransportKey), inet.ProtocolName(l.transport))
	event.PutStr(string(conventions.NetworkTypeKey), inet.TypeOf(l.server.Addr()))
	putEnd(event, string(conventions.ClientAddressKey), string(conventions.ClientPortKey), l.client)
	putEnd(event, string(conventions.ServerAddressKey), string(conventions.ServerPortKey), l.server)
	event.PutOwner(&l.owner, l.attribution)
	event.PutInt("ebpf.socket.cookie", int64(l.cookie))
	event.PutInt("ebpf.network.namespace", int64(l.netns))
	event.End(func(text []byte) []byte { return l.appendBody(b, text) })
}

func putAnswer(event *batch.Event, m *message) {
	if m == nil {
		return
	}
	event.PutStr("ebpf.dns.response.code", codeName(m.code))
	event.PutInt("ebpf.dns.response.records", int64(m.records))
	if m.truncated {
		event.PutBool("ebpf.dns.response.truncated", true)
	}
	event.PutStr("ebpf.dns.canonical_name", m.canonical)
	if len(m.addresses) > 0 {
		answers := event.PutSlice(string(conventions.DNSAnswersKey))
		answers.EnsureCapacity(len(m.addresses))
		for _, address := range m.addresses {
			answers.AppendEmpty().SetStr(address.String())
		}
	}
}

func putEnd(event *batch.Event, address, port string, end netip.AddrPort) {
	event.PutAddress(address, end.Addr())
	event.PutInt(port, int64(end.Port()))
}

// appendBody appends the line for people, such as "curl[4242] → 10.0.0.2:53 udp: AAAA db.example nxdomain after 1.2 ms".
func (l *lookup) appendBody(b *batch.Batch, text []byte) []byte {
	text = append(b.AppendOwner(text, &l.owner), " → "...)
	text = append(b.AppendEndpoint(text, l.server.Addr(), l.server.Port()), ' ')
	text = append(append(text, inet.ProtocolName(l.transport)...), ": "...)
	text = append(append(text, l.question.kindName()...), ' ')
	text = append(append(text, l.question.name...), ' ')
	if failure := l.errorType(); failure != "" {
		text = append(text, failure...)
	} else {
		text = append(strconv.AppendInt(text, int64(l.answer.records), 10), " records"...)
	}
	text = append(batch.AppendDuration(append(text, " after "...), l.end-l.first), l.retriesText()...)
	if l.answer != nil && l.answer.truncated {
		text = append(text, ", truncated"...)
	}
	return text
}

func (l *lookup) retriesText() string {
	switch l.retries {
	case 0:
		return ""
	case 1:
		return ", 1 retry"
	default:
		return ", " + strconv.Itoa(l.retries) + " retries"
	}
}
