// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"fmt"
	"net/netip"
	"time"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics/inet"
)

// Numbers of the BPF side.
const (
	sent     = uint8(bpf.DNSEventIdEVENT_QUERY)
	received = uint8(bpf.DNSEventIdEVENT_ANSWER)
)

// maxTimeouts is how many times the time-out a look-up may take with all its retries. Resolvers ask some servers some times.
const maxTimeouts = 6

// AppendLog implements program.Program. A record has a message, or a part of one. It appends no log record: finished look-ups are
// emitted.
func (n *names) AppendLog(b *batch.Batch, raw []byte) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.read++
	record, ok := common.View[common.Record](raw)
	if !ok {
		return fmt.Errorf("dns record of %d bytes is too short", len(raw))
	}
	// All records before this one were read.
	n.expire(record.Time)
	switch record.Event {
	case sent:
		q, ok := common.View[bpf.DNSQuery](raw)
		if !ok {
			return fmt.Errorf("dns record of %d bytes is too short for a query", len(raw))
		}
		data, err := captured(raw, unsafe.Sizeof(*q), &q.Part)
		if err != nil {
			return err
		}
		n.onSent(q, data)
	case received:
		a, ok := common.View[bpf.DNSAnswer](raw)
		if !ok {
			return fmt.Errorf("dns record of %d bytes is too short for an answer", len(raw))
		}
		data, err := captured(raw, unsafe.Sizeof(*a), &a.Part)
		if err != nil {
			return err
		}
		n.onReceived(b, a, data)
	default:
		return fmt.Errorf("dns record of unknown event %d", record.Event)
	}
	return nil
}

// captured returns the bytes of the message at the end of a record.
func captured(raw []byte, size uintptr, part *bpf.DNSPart) ([]byte, error) {
	data := raw[size:]
	if int(part.Captured) > len(data) || uint32(part.Captured) > part.Length {
		return nil, fmt.Errorf("dns record of %d bytes has %d of %d bytes of a message", len(raw), part.Captured, part.Length)
	}
	return data[:part.Captured], nil
}

// onSent handles sent bytes: over UDP one message, over TCP a part of the stream.
func (n *names) onSent(q *bpf.DNSQuery, data []byte) {
	owner := *common.OwnerOf(&q.Owner)
	if q.Part.Transport != inet.ProtocolTCP {
		n.onQuery(q, &owner, q.Attribution, data)
		return
	}
	c := n.connections.get(q.Part.Cookie, q.Record.Time)
	if owner.Pid != 0 || c.owner.Pid == 0 {
		c.owner, c.attribution = owner, q.Attribution
	}
	if !c.received.known {
		c.received.start(q.Expected)
	}
	c.sent.add(q.Part.Sequence, q.Part.Length, data, func(message []byte) { n.onQuery(q, &c.owner, c.attribution, message) })
}

// onReceived handles received bytes.
func (n *names) onReceived(b *batch.Batch, a *bpf.DNSAnswer, data []byte) {
	cookie := a.Part.Cookie
	if a.Part.Transport != inet.ProtocolTCP {
		n.onAnswer(b, cookie, a.Record.Time, data)
		return
	}
	c := n.connections.get(cookie, a.Record.Time)
	if c.received.add(a.Part.Sequence, a.Part.Length, data, func(message []byte) { n.onAnswer(b, cookie, a.Record.Time, message) }) {
		n.pending.forget(cookie)
	}
}

func (n *names) onQuery(q *bpf.DNSQuery, owner *common.Owner, attribution uint8, raw []byte) {
	m, ok := parse(raw)
	if !ok || m.answers || !m.asks {
		return // not a query: something else uses the port
	}
	l := &lookup{
		question: m.question, key: m.question.folded(), owner: *owner, attribution: attribution, transport: q.Part.Transport,
		netns: q.Netns, cookie: q.Part.Cookie, first: q.Record.Time, last: q.Record.Time,
		client: netip.AddrPortFrom(common.Addr(q.Flow.Local.Octets), q.Flow.LocalPort),
		server: netip.AddrPortFrom(common.Addr(q.Flow.Remote.Octets), q.Flow.RemotePort),
	}
	if known := n.repeated(l, m.id); known != nil {
		ok = n.pending.retry(known, l, m.id)
	} else {
		ok = n.pending.add(l, m.id)
	}
	if !ok {
		n.host.CountFull()
	}
}

// repeated returns the look-up that a query repeats; nil if it is the first one. It ends what has been asked for too long: who always
// asks again must not hide that there is no answer.
func (n *names) repeated(query *lookup, id uint16) *lookup {
	patience := uint64(n.config.Timeout)
	l := n.pending.repeats(query, id, patience)
	if l == nil || query.first < l.first+maxTimeouts*patience {
		return l
	}
	n.pending.remove(l)
	l.end = max(query.first, l.last)
	n.finish(l)
	return nil
}

func (n *names) onAnswer(b *batch.Batch, cookie, at uint64, raw []byte) {
	m, ok := parse(raw)
	if !ok || !m.answers {
		return
	}
	l := n.pending.answered(cookie, &m)
	if l == nil {
		return // a late or repeated answer, or one without a query
	}
	l.end, l.answer = max(at, l.first), &m
	learn(b, l)
	n.finish(l)
}

// learn remembers the addresses of the answer for the connections of the process.
func learn(b *batch.Batch, l *lookup) {
	for _, address := range l.answer.addresses {
		b.Domains.Learn(&l.owner, l.question.name, address, l.end, time.Duration(l.answer.ttl)*time.Second)
	}
}

// expire times look-ups out, as of a kernel time before which all records were read.
func (n *names) expire(now uint64) {
	patience := uint64(n.config.Timeout)
	if now < patience {
		return
	}
	for l := n.pending.takeBefore(now - patience); l != nil; l = n.pending.takeBefore(now - patience) {
		l.end = l.last + patience
		n.finish(l)
	}
}

// finish counts a look-up, and emits its event if it failed or was slow.
func (n *names) finish(l *lookup) {
	n.durations.add(n.host, l)
	if n.host.Events.EbpfDNSLookup.Enabled && (l.errorType() != "" || l.end-l.first >= uint64(n.config.Threshold)) {
		n.host.Emit(func(b *batch.Batch) { n.appendLookup(b, l) })
	}
}
