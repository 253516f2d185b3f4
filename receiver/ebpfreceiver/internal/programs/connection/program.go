// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/listeners"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// connections is the program in a running receiver.
type connections struct {
	config    *Config
	host      *program.Host
	holders   holders
	peers     peers
	sentTo    translations
	queues    queues
	wanted    *ebpf.Map
	openBytes openBytes
	ticks     ticks
	held      held
	repeats   batch.Repeats[kind]
	counts    metrics.Scraper[series, bpf.ConnectionCounts]
	times     metrics.Series[bpf.ConnectionSeries, series, bpf.ConnectionHistogram]
}

var (
	_ program.Program  = (*connections)(nil)
	_ program.IterUser = (*connections)(nil)
	_ program.Holder   = (*connections)(nil)
)

func newProgram(cfg program.Config, host *program.Host) program.Program {
	c := &connections{config: cfg.(*Config), host: host, holders: holders{now: time.Now, logger: host.Logger}}
	c.held = held{now: time.Now, records: map[uint64]*heldRecord{}}
	if host.Events.EbpfConnectionClose.Enabled {
		c.held.within = c.config.MergeWithin
	}
	c.queues = queues{
		reader: listeners.Reader{Listening: host.Listening, Listened: host.Listened},
		series: map[listenerSeries]*queue{},
		names:  batch.NewNames(),
	}
	if c.config.Has(TCP) {
		c.queues.reader.Update = host.UpdateListener
	}
	return c
}

// Spec implements program.Program.
func (c *connections) Spec() (*ebpf.CollectionSpec, error) {
	spec, err := bpf.LoadConnection()
	if err != nil {
		return nil, err
	}
	if !c.host.StoresInSockets() {
		// The kernel does not report which sockets are freed, so the least recently used entry is dropped.
		peers := spec.Maps[bpf.ConnectionMapConnectionUdpPeers]
		peers.Type, peers.Flags, peers.MaxEntries = ebpf.LRUHash, 0, 65536
	}
	for _, name := range []string{bpf.ConnectionMapConnectionCounts, bpf.ConnectionMapConnectionByteCounts} {
		metrics.MakeRoomForPeers(spec.Maps[name], c.host.ByPeer, unsafe.Sizeof(bpf.ConnectionSeries{}))
	}
	return spec, metrics.MakeRoom(spec.Maps[bpf.ConnectionMapConnectionDurations])
}

// Variables implements program.Program.
func (c *connections) Variables() map[string]any {
	arguments, _ := c.host.BTF.TracepointArgs("io_uring_complete") // none: there is no such hook
	variables := c.variablesOfDrops()
	variables[bpf.ConnectionVarByPeer] = c.host.ByPeer
	variables[bpf.ConnectionVarHistogramBounds] = c.host.Histogram.Table()
	variables[bpf.ConnectionVarUringCompleteArguments] = uint32(arguments)
	return variables
}

// Events implements program.Program.
func (c *connections) Events() uint32 {
	return program.EventBits(map[bpf.ConnectionEventId]bool{
		bpf.ConnectionEventIdEVENT_CONNECT: c.host.Events.EbpfConnectionConnect.Enabled,
		bpf.ConnectionEventIdEVENT_ACCEPT:  c.host.Events.EbpfConnectionAccept.Enabled,
		bpf.ConnectionEventIdEVENT_CLOSE:   c.host.Events.EbpfConnectionClose.Enabled,
		bpf.ConnectionEventIdEVENT_JOIN:    c.host.Events.EbpfConnectionJoin.Enabled,
	})
}

// Loaded implements program.Program.
func (c *connections) Loaded(maps map[string]*ebpf.Map) error {
	var overflow []bpf.ConnectionSeries
	for _, role := range []common.Role{common.RoleUnknown, common.RoleClient, common.RoleServer} {
		overflow = append(overflow, bpf.ConnectionSeries{Cgroup: metrics.OverflowCgroup, Role: uint8(role)})
	}
	c.peers.all, c.peers.inserted = maps[bpf.ConnectionMapConnectionUdpPeers], maps[bpf.ConnectionMapConnectionUdpInserted]
	c.wanted = maps[bpf.ConnectionMapConnectionWanted]
	c.sentTo = translations{
		own: kernel.NetworkNamespace(), tracks: kernel.TracksConnections, lookup: kernel.Translated, now: time.Now, logger: c.host.Logger,
	}
	counts, err := newScraper(maps[bpf.ConnectionMapConnectionCounts], c.host.ByPeer, countsFate)
	c.counts = counts
	return errors.Join(
		err,
		c.openBytes.loaded(maps, c.host.ByPeer),
		c.times.Loaded(maps[bpf.ConnectionMapConnectionDurations], seriesOf, overflow...),
	)
}

// Attached implements program.IterUser.
func (c *connections) Attached(iters map[string]*program.Iter) {
	if iter := iters[bpf.ConnectionProgConnectionUdpSockets]; iter != nil && c.host.StoresInSockets() {
		c.peers.open = iter.Open
	}
	c.openBytes.attached(iters)
	if iter := iters[bpf.ConnectionProgConnectionFindHolders]; iter != nil {
		c.holders.closer = closerIn(c.host.Sockets)
		c.holders.search = searchBy(c.wanted, iter.Open)
	}
}

// Hooks implements program.Program.
func (c *connections) Hooks() (hooks []program.Hook) {
	if c.config.Has(TCP) || c.config.Has(UDP) {
		hooks = append(hooks,
			program.Tracepoint(bpf.ConnectionProgConnectionProcessExit, "sched_process_exit"),
			program.Tracepoint(bpf.ConnectionProgConnectionProcessExec, "sched_process_exec"),
		)
	}
	if c.config.Has(UDP) {
		hooks = append(hooks,
			c.datagrams(bpf.ConnectionProgConnectionConnect4, bpf.ConnectionProgConnectionConnect4Implicit, bpf.ConnectionProgConnectionConnect4Assumed,
				"connect4", ebpf.AttachCGroupInet4Connect),
			c.datagrams(bpf.ConnectionProgConnectionConnect6, bpf.ConnectionProgConnectionConnect6Implicit, bpf.ConnectionProgConnectionConnect6Assumed,
				"connect6", ebpf.AttachCGroupInet6Connect),
			c.datagrams(bpf.ConnectionProgConnectionSendmsg4, bpf.ConnectionProgConnectionSendmsg4Implicit, bpf.ConnectionProgConnectionSendmsg4Assumed,
				"sendmsg4", ebpf.AttachCGroupUDP4Sendmsg),
			c.datagrams(bpf.ConnectionProgConnectionSendmsg6, bpf.ConnectionProgConnectionSendmsg6Implicit, bpf.ConnectionProgConnectionSendmsg6Assumed,
				"sendmsg6", ebpf.AttachCGroupUDP6Sendmsg),
			program.Reader(bpf.ConnectionProgConnectionUdpSockets, "task_file"),
		)
		refusals := program.Tracepoint(bpf.ConnectionProgConnectionUdpError, "inet_sk_error_report")
		refusals.Optional = true // before Linux 5.14 the errors of datagrams are not seen
		hooks = append(hooks, refusals)
	}
	if c.config.Has(Unix) {
		hooks = append(hooks,
			program.Syscall(bpf.ConnectionProgConnectionEnterConnect, "sys_enter_connect"),
			program.Syscall(bpf.ConnectionProgConnectionExitConnect, "sys_exit_connect"),
			program.Tracepoint(bpf.ConnectionProgConnectionSignal, "signal_deliver"),
		)
		requests := program.Together(
			program.Tracepoint(bpf.ConnectionProgConnectionUringSubmit, "io_uring_submit_req"),
			program.Tracepoint(bpf.ConnectionProgConnectionUringComplete, "io_uring_complete"),
		)
		requests.Optional = true // before Linux 6.3 io_uring has no tracepoint for requests
		hooks = append(hooks, requests)
	}
	if c.config.Has(TCP) {
		states := c.host.PreemptibleTracepoint(bpf.ConnectionProgConnectionSetState, bpf.ConnectionProgConnectionSetStateMissed, "inet_sock_set_state")
		states.TracksSockets = true
		ends := program.Tracepoint(bpf.ConnectionProgConnectionDestroy, "tcp_destroy_sock")
		// If the kernel skips a run of one of them, the next run for the same socket makes up for it.
		states.Lossless, ends.Lossless = true, true
		probes := program.Trampoline(program.Place{Function: bpf.ConnectionProgConnectionProbe, Hook: "fentry/tcp_send_probe0"})
		probes.Optional = true // without it, closes do not say how often the window was closed
		hooks = append(hooks,
			states, ends,
			probes,
			program.ExactTracepoint(bpf.ConnectionProgConnectionDrop, bpf.ConnectionProgConnectionDropMissed, "kfree_skb"),
			program.Iterator(bpf.ConnectionProgConnectionFind, "task_file"),
			program.Reader(bpf.ConnectionProgConnectionFindHolders, "task_file"),
		)
		hooks = append(hooks, c.openBytes.hooks(c.host.StoresInSockets())...)
	}
	return hooks
}

// datagrams is a hook that reads the result of a send on Linux 6.18 or newer, and otherwise assumes success.
func (c *connections) datagrams(function, implicit, assumed, name string, attach ebpf.AttachType) program.Hook {
	return program.FirstOf(
		program.Cgroup(function, name, c.host.CgroupRoot, attach),
		program.Cgroup(implicit, name, c.host.CgroupRoot, attach),
		program.Cgroup(assumed, name, c.host.CgroupRoot, attach),
	)
}
