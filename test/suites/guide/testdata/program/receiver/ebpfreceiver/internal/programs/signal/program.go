// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package signal is the program `signal`: which signals processes are sent.
package signal

import (
	"fmt"

	"github.com/cilium/ebpf"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/signal"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/cgroup"
)

// Definition is the program's entry in the receiver's list of programs.
var Definition = program.Definition{
	Name:          "signal",
	Purpose:       "Which signals processes are sent, and by whom.",
	DefaultConfig: func() program.Config { config := program.Unlimited(); return &config },
	New:           newProgram,
	Needs:         []*program.Definition{&cgroup.Definition},
}

// signals is the program in a running receiver.
type signals struct {
	host   *program.Host
	counts metrics.Series[bpf.SignalSeries, series, bpf.SignalCounts]
}

var _ program.Program = (*signals)(nil)

func newProgram(_ program.Config, host *program.Host) program.Program {
	return &signals{host: host}
}

// Spec implements program.Program.
func (*signals) Spec() (*ebpf.CollectionSpec, error) { return bpf.LoadSignal() }

// Variables implements program.Program.
func (*signals) Variables() map[string]any { return nil }

// Events implements program.Program.
func (s *signals) Events() uint32 {
	return program.EventBits(map[bpf.SignalEventId]bool{
		bpf.SignalEventIdEVENT_SEND: s.host.Events.EbpfSignalSend.Enabled,
	})
}

// Loaded implements program.Program.
func (s *signals) Loaded(maps map[string]*ebpf.Map) error {
	return s.counts.Loaded(maps[bpf.SignalMapSignals], seriesOf, bpf.SignalSeries{Cgroup: metrics.OverflowCgroup})
}

// Hooks implements program.Program.
func (*signals) Hooks() []program.Hook {
	return []program.Hook{program.Tracepoint(bpf.SignalProgSignalSend, "signal_generate")}
}

// AppendLog implements program.Program.
func (s *signals) AppendLog(b *batch.Batch, raw []byte) error {
	e, ok := common.View[bpf.SignalEvent](raw)
	if !ok {
		return fmt.Errorf("signal record of %d bytes is too short", len(raw))
	}
	if bpf.SignalEventId(e.Record.Event) != bpf.SignalEventIdEVENT_SEND {
		return fmt.Errorf("signal record of unknown event %d", e.Record.Event)
	}
	owner := common.OwnerOf(&e.Owner)
	event := b.Event(common.RecordOf(&e.Record), owner.Cgroup, "ebpf.signal.send", plog.SeverityNumberInfo)
	event.PutOwner(owner, uint8(common.AttributionNone))
	event.PutStr("ebpf.signal.name", name(uint64(e.Signal)))
	if e.Sender != 0 {
		event.PutInt("ebpf.signal.sender.pid", int64(e.Sender))
	}
	event.End(func(text []byte) []byte {
		return append(append(b.AppendOwner(text, owner), " is sent "...), name(uint64(e.Signal))...)
	})
	return nil
}

func name(signal uint64) string {
	if known := unix.SignalName(unix.Signal(signal)); known != "" {
		return known
	}
	return fmt.Sprintf("SIG%d", signal)
}

// series identifies a series of the metric.
type series struct {
	metrics.Group
	signal uint64
}

func seriesOf(group metrics.Group, key *bpf.SignalSeries) series {
	return series{Group: group, signal: key.Signal}
}

// Scrape implements program.Program.
func (s *signals) Scrape(m *metrics.Builder) error {
	all, err := s.counts.Scrape(m)
	for one, sum := range all {
		attribute := metadata.WithEbpfSignalNameMetricAttribute(name(one.signal))
		if one.Overflow {
			attribute = metadata.WithOtelMetricOverflowMetricAttribute(true)
		}
		m.For(one.Container).RecordEbpfSignalSentDataPoint(m.Now, int64(sum.Signals), attribute)
	}
	return err
}
