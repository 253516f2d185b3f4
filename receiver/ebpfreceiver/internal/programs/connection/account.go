// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"time"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
)

// minTicking is the least time between two records from which the rate of jiffies is computed.
const minTicking = 500 * time.Millisecond

// congestionStates are those of the kernel (enum tcp_ca_state). In the first one all is well.
var congestionStates = [...]string{"", "disorder", "cwr", "recovery", "loss"}

// rates are the values of CONFIG_HZ.
var rates = []float64{100, 250, 300, 1000}

// ticks converts TCP's account of a connection from jiffies. It computes their rate from the first records that are far enough apart;
// earlier records have no account.
type ticks struct {
	jiffies, time uint64  // of the first record
	rate          float64 // jiffies in a second; 0: not known yet
}

func (t *ticks) put(event *batch.Event, e *bpf.ConnectionEvent) {
	a := &e.Account
	for _, one := range []struct {
		name  string
		count uint32
	}{
		{"ebpf.connection.out_of_order", a.OutOfOrder},
		{"ebpf.connection.duplicates", a.Duplicates},
		{"ebpf.connection.zero_windows", a.ZeroWindows},
	} {
		if one.count > 0 {
			event.PutInt(one.name, int64(one.count))
		}
	}
	if int(a.Congestion) < len(congestionStates) {
		event.PutStr("ebpf.connection.congestion.state", congestionStates[a.Congestion])
	}
	if a.Jiffies == 0 || t.rate == 0 && !t.learn(a.Jiffies, e.Record.Time) {
		return
	}
	for _, one := range []struct {
		name    string
		jiffies uint32
	}{
		{"ebpf.connection.busy.duration", a.Busy},
		{"ebpf.connection.receive_window_limited.duration", a.WindowLimited},
		{"ebpf.connection.send_buffer_limited.duration", a.BufferLimited},
	} {
		if one.jiffies > 0 {
			event.PutDouble(one.name, float64(one.jiffies)/t.rate)
		}
	}
}

// learn uses a record to compute the rate, and reports whether the rate is known.
func (t *ticks) learn(jiffies, at uint64) bool {
	if t.jiffies == 0 {
		t.jiffies, t.time = jiffies, at
		return false
	}
	// Records of two CPUs may come out of order.
	if at < t.time+uint64(minTicking) || jiffies <= t.jiffies {
		return false
	}
	measured := float64(jiffies-t.jiffies) / (float64(at-t.time) / 1e9)
	for _, rate := range rates {
		if measured > 0.95*rate && measured < 1.05*rate {
			t.rate = rate
		}
	}
	return t.rate != 0
}
