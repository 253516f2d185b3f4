// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package tcp

import (
	"errors"
	"unsafe"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// segments is the program in a running receiver.
type segments struct {
	config  *Config
	host    *program.Host
	reasons reasons
	counts  metrics.Scraper[series, bpf.TCPCounts]
	rtts    metrics.Series[bpf.TCPSeries, series, bpf.TCPHistogram]
}

var _ program.Program = (*segments)(nil)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	return &segments{
		config:  cfg.(*Config),
		host:    host,
		reasons: reasonsOf(host.BTF),
	}
}

// Spec implements program.Program.
func (s *segments) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadTCP()
	if err != nil {
		return nil, err
	}
	metrics.MakeRoomForPeers(spec.Maps[bpf.TCPMapTcpCounts], s.host.ByPeer, unsafe.Sizeof(bpf.TCPSeries{}))
	return spec, metrics.MakeRoom(spec.Maps[bpf.TCPMapTcpRtts])
}

// Variables implements program.Program.
func (s *segments) Variables() map[string]any {
	return map[string]any{
		bpf.TCPVarRetransmitArguments: s.arguments("tcp_retransmit_skb"),
		bpf.TCPVarResetArguments:      s.arguments("tcp_send_reset"),
		bpf.TCPVarRttInterval:         uint32(s.config.RTTInterval.Microseconds()),
		bpf.TCPVarByPeer:              s.host.ByPeer,
		bpf.TCPVarHistogramBounds:     s.host.Histogram.Table(),
	}
}

// arguments returns how many arguments a tracepoint has here; both had the first two from the beginning.
func (s *segments) arguments(tracepoint string) uint32 {
	if n, ok := s.host.BTF.TracepointArgs(tracepoint); ok {
		return uint32(n)
	}
	return 2
}

// Events implements program.Program.
func (s *segments) Events() uint32 {
	return program.EventBits(map[bpf.TCPEventId]bool{
		bpf.TCPEventIdEVENT_RETRANSMIT:     s.host.Events.EbpfTCPRetransmit.Enabled,
		bpf.TCPEventIdEVENT_RESET_SENT:     s.host.Events.EbpfTCPReset.Enabled,
		bpf.TCPEventIdEVENT_RESET_RECEIVED: s.host.Events.EbpfTCPReset.Enabled,
	})
}

// Loaded implements program.Program.
func (s *segments) Loaded(maps map[string]*ebpf.Map) error {
	counts, err := newScraper(maps[bpf.TCPMapTcpCounts], s.host.ByPeer)
	s.counts = counts
	return errors.Join(
		err,
		s.rtts.Loaded(maps[bpf.TCPMapTcpRtts], seriesOf, bpf.TCPSeries{Cgroup: metrics.OverflowCgroup}),
	)
}

// Hooks implements program.Program.
func (*segments) Hooks() []program.Hook {
	probe := program.Tracepoint(bpf.TCPProgTcpSegment, "tcp_probe")
	probe.Lossless = true
	return []program.Hook{
		program.ExactTracepoint(bpf.TCPProgTcpRetransmit, bpf.TCPProgTcpRetransmitMissed, "tcp_retransmit_skb"),
		program.ExactTracepoint(bpf.TCPProgTcpRetransmitSynack, bpf.TCPProgTcpRetransmitSynackMissed, "tcp_retransmit_synack"),
		program.ExactTracepoint(bpf.TCPProgTcpResetSent, bpf.TCPProgTcpResetSentMissed, "tcp_send_reset"),
		program.ExactTracepoint(bpf.TCPProgTcpResetReceived, bpf.TCPProgTcpResetReceivedMissed, "tcp_receive_reset"),
		program.ExactTracepoint(bpf.TCPProgTcpClose, bpf.TCPProgTcpCloseMissed, "inet_sock_set_state"),
		probe,
	}
}
