// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package socket_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpfconnection "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packetdrop"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/tcp"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/ring"
)

// running are programs in this kernel whose levels change.
type running struct {
	t       *testing.T
	set     *program.Set
	reader  *ring.Reader
	options program.Options
}

func run(t *testing.T, filters program.Filters, definitions ...*program.Definition) *running {
	t.Helper()
	options := programtest.LiveOptions(t)
	options.RingSize, options.Filters = 16<<20, filters
	options.Steppable = true
	options.LoadBTF = func() (*kernel.BTF, error) { return kernel.LoadBTF("") }
	options.Publish = func() {}
	var selected []program.Selected
	for _, d := range definitions {
		selected = append(selected, program.Selected{Definition: d, Config: d.DefaultConfig()})
	}
	set, err := program.Open(selected, options)
	require.NoError(t, err)
	reader, err := ring.New(set.Records())
	require.NoError(t, err)
	t.Cleanup(func() {
		set.Detach()
		assert.NoError(t, reader.Close())
		assert.NoError(t, set.Close())
	})
	return &running{t, set, reader, options}
}

// step changes the level of a program.
func (r *running) step(d *program.Definition, level program.Level) {
	r.t.Helper()
	require.NoError(r.t, r.set.SetLevel(d.Name, level, "the test"))
}

// records returns those of a program since the last call.
func (r *running) records(d *program.Definition) (records [][]byte) {
	r.reader.Drain(1<<20, func(raw []byte) {
		if record, ok := common.View[common.Record](raw); ok && r.set.Name(int(record.Program)) == d.Name {
			records = append(records, append([]byte(nil), raw...))
		}
	})
	return records
}

// resets makes a connection that is reset, and returns what tcp reports of it.
func (r *running) resets() (all []reset) {
	port := resetClosed(r.t)
	for _, raw := range r.records(&tcp.Definition) {
		e, ok := common.View[bpf.TCPEvent](raw)
		require.True(r.t, ok)
		if e.Flow.LocalPort != port && e.Flow.RemotePort != port || bpf.TCPEventId(e.Record.Event) == bpf.TCPEventIdEVENT_RETRANSMIT {
			continue
		}
		all = append(all, reset{e.Record.Event, e.Role, e.Attribution, e.State, e.Owner.Pid == uint32(os.Getpid())})
	}
	return all
}

// What tcp reports about a socket does not depend on whether connection, which finds the owners for both, has left or is back; nor
// on whether tcp itself was away.
func TestStepsOfOthersKeepOwners(t *testing.T) {
	kerneltest.LeavesNothing(t)
	self, err := os.Executable()
	require.NoError(t, err)
	own := program.Filter{Executables: []string{filepath.Base(self)}}
	r := run(t, program.Filters{Include: program.Include{Filter: own}}, &connection.Definition, &packetdrop.Definition, &tcp.Definition)
	want := r.resets()
	require.NotEmpty(t, want)
	for _, one := range want {
		require.True(t, one.owned, "%+v", one)
	}
	three := r.set.Attached()
	r.step(&connection.Definition, program.LevelDetached)
	assert.Equal(t, want, r.resets(), "connection has left")
	r.step(&tcp.Definition, program.LevelDetached)
	assert.Empty(t, r.resets(), "tcp has left")
	r.step(&connection.Definition, program.LevelFull)
	r.step(&tcp.Definition, program.LevelFull)
	assert.Equal(t, want, r.resets(), "both are back")
	r.step(&tcp.Definition, program.LevelSampled)
	assert.Empty(t, r.resets(), "between two samples")
	require.NoError(t, r.set.Open(tcp.Definition.Name, true))
	assert.Empty(t, r.resets(), "a sample has no events")
	r.step(&tcp.Definition, program.LevelFull)
	assert.Equal(t, want, r.resets())
	assert.GreaterOrEqual(t, r.set.Attached(), three)
	r.step(&connection.Definition, program.LevelDetached)
	r.step(&packetdrop.Definition, program.LevelDetached)
	r.step(&tcp.Definition, program.LevelDetached)
	assert.Equal(t, 1, r.set.Attached(), "only cgroup is left, which knows the containers")
}

// pair is a TCP connection of this process with itself.
type pair struct{ client, server net.Conn }

// listen returns a listener without MPTCP.
func listen(t *testing.T) net.Listener {
	t.Helper()
	config := new(net.ListenConfig)
	config.SetMultipathTCP(false)
	listener, err := config.Listen(t.Context(), "tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	return listener
}

// open makes a connection to the listener, without MPTCP.
func open(t *testing.T, listener net.Listener) pair {
	t.Helper()
	dialer := new(net.Dialer)
	dialer.SetMultipathTCP(false)
	client, err := dialer.DialContext(t.Context(), "tcp4", listener.Addr().String())
	require.NoError(t, err)
	server, err := listener.Accept()
	require.NoError(t, err)
	return pair{client, server}
}

func (p pair) close(t *testing.T) {
	t.Helper()
	require.NoError(t, p.client.Close())
	_, err := p.server.Read(make([]byte, 1))
	require.Error(t, err)
	require.NoError(t, p.server.Close())
}

// A program that comes back knows what is there then: connections that were opened while it was away are found, those that were
// closed are forgotten, and those that were there before have their owners.
func TestConnectionComesBack(t *testing.T) {
	kerneltest.LeavesNothing(t)
	listener := listen(t)
	defer listener.Close()
	open := func() pair { return open(t, listener) }
	old, older := open(), open()
	port := uint16(listener.Addr().(*net.TCPAddr).Port)
	r := run(t, program.Filters{Include: program.Include{Filter: program.Filter{Ports: []uint16{port}}}}, &connection.Definition, &tcp.Definition)
	early := open()
	assert.Equal(t, int64(6), r.sum("ebpf.connection.active"))
	assert.Equal(t, int64(2), r.sum("ebpf.connection.opened"))

	r.step(&connection.Definition, program.LevelDetached)
	late := open()
	old.close(t)
	assert.Zero(t, r.sum("ebpf.connection.active"), "there is no metric of a program that has left")
	r.records(&connection.Definition)

	r.step(&connection.Definition, program.LevelFull)
	assert.Equal(t, int64(6), r.sum("ebpf.connection.active"))
	assert.Zero(t, r.sum("ebpf.connection.opened"), "it begins again")
	for _, p := range []pair{older, early, late, open()} {
		p.close(t)
	}
	programtest.Eventually(t, func() bool { return r.sum("ebpf.connection.active") == 0 })
	assert.Equal(t, int64(2), r.sum("ebpf.connection.opened"))
	closed := 0
	for _, raw := range r.records(&connection.Definition) {
		e, ok := common.View[bpfconnection.ConnectionEvent](raw)
		require.True(t, ok)
		if bpfconnection.ConnectionEventId(e.Record.Event) == bpfconnection.ConnectionEventIdEVENT_CLOSE {
			closed++
			assert.Equal(t, uint32(os.Getpid()), e.Owner.Pid)
		}
	}
	assert.Equal(t, 8, closed, "both sides of four connections")
}

// sum adds up the values of a metric.
func (r *running) sum(name string) (sum int64) {
	r.t.Helper()
	host := &program.Host{Kernel: r.options.Kernel}
	config := metadata.NewDefaultMetricsBuilderConfig().Metrics
	m := programtest.NewMetrics(host, programtest.Start+1, config)
	require.NoError(r.t, r.set.Scrape(m))
	for _, rm := range m.Emit().ResourceMetrics().All() {
		for _, sm := range rm.ScopeMetrics().All() {
			for _, metric := range sm.Metrics().All() {
				if metric.Name() != name {
					continue
				}
				for _, p := range metric.Sum().DataPoints().All() {
					sum += p.IntValue()
				}
			}
		}
	}
	return sum
}
