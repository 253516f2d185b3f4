// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"net/netip"
	"strconv"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// appendBody appends the line for people, such as "curl[4242] → 10.0.0.5:443 tcp refused after 1.2 ms".
func appendBody(
	b *batch.Batch, text []byte, e *bpf.ConnectionEvent, owner *common.Owner, remote netip.Addr, translated netip.AddrPort, failure string,
) []byte {
	text = b.AppendOwner(text, owner)
	if e.Role == roleServer {
		text = append(text, " ← "...)
	} else {
		text = append(text, " → "...)
	}
	text = b.AppendEndpointOn(text, remote, e.Flow.RemotePort, common.Text(e.Interface[:]))
	if translated.IsValid() {
		text = append(b.AppendEndpoint(append(text, " (sent to "...), translated.Addr(), translated.Port()), ')')
	}
	text = append(text, ' ')
	text = append(text, transportName(e.Transport)...)
	text = append(text, ' ')
	if e.Subflow {
		text = append(text, "subflow "...)
	}
	switch e.Record.Event {
	case eventAccept:
		text = append(text, "accepted on port "...)
		return strconv.AppendUint(text, uint64(e.Flow.LocalPort), 10)
	case eventJoin:
		return appendAfter(appendResult(text, failure, "joined"), e.Duration)
	case eventClose:
		text = appendResult(text, failure, "closed")
		if e.Transport == udp { // it has no totals
			return text
		}
		text = appendAfter(text, e.Duration)
		text = append(text, ", "...)
		text = append(batch.AppendBytes(text, e.BytesSent), " sent, "...)
		return append(batch.AppendBytes(text, e.BytesReceived), " received"...)
	default:
		if e.Transport == udp {
			text = appendResult(text, failure, "new peer")
			if e.Unsent {
				text = append(text, ", nothing sent yet"...)
			}
			return text
		}
		return appendAfter(appendResult(text, failure, "connected"), e.Duration)
	}
}

// appendUnixBody appends the line for people, such as "psql[4242] → /run/postgresql/.s.PGSQL.5432 unix connected".
func appendUnixBody(b *batch.Batch, text []byte, owner *common.Owner, path, failure string) []byte {
	text = append(b.AppendOwner(text, owner), " → "...)
	if path != "" {
		text = append(append(text, path...), ' ')
	}
	return appendResult(append(text, "unix "...), failure, "connected")
}

func appendResult(text []byte, failure, success string) []byte {
	if failure == "" {
		return append(text, success...)
	}
	return append(text, failure...)
}

func appendAfter(text []byte, ns uint64) []byte {
	if ns == 0 {
		return text
	}
	return batch.AppendDuration(append(text, " after "...), ns)
}
