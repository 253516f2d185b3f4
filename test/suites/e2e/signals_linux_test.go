// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// Everything that happened before SIGTERM is delivered, and no BPF objects remain in the kernel.
func TestTerminate(t *testing.T) {
	s := newSetup(t)
	c := s.start(t)
	held, err := c.Held()
	require.NoError(t, err)
	const connections = 400
	did := job{ToItself: connections}.make(t, "before-the-end", nil)
	require.NoError(t, c.Stop())

	events := readEvents(t, s.events)
	mine := map[string]any{"process.pid": int64(did.PID)}
	assert.Len(t, collector.Matching(events, "ebpf.connection.connect", mine), connections)
	assert.Len(t, collector.Matching(events, "ebpf.connection.accept", mine), connections)
	assert.Len(t, collector.Matching(events, "ebpf.connection.close", mine), 2*connections)
	assert.Len(t, collector.Matching(events, "ebpf.program.state", map[string]any{"ebpf.program.name": "connection", "ebpf.program.state": "detached"}), 1)
	requireGone(t, held)
}

// SIGHUP with a changed configuration starts and stops programs. No BPF objects of stopped programs remain in the kernel.
func TestReload(t *testing.T) {
	testenv.RequireKernel(t)
	s := newSetup(t)
	whole, err := os.ReadFile(testenv.Repository(t, "config.yaml"))
	require.NoError(t, err)
	config := filepath.Join(t.TempDir(), "config.yaml")
	write := func(without ...string) {
		text := string(whole)
		for _, program := range without {
			line := "      " + program + ":\n"
			require.Contains(t, text, line)
			text = strings.Replace(text, line, "", 1)
		}
		require.NoError(t, os.WriteFile(config, []byte(text), 0o600))
	}
	write("packet_drop")
	c := startCommand(t, collector.Command(testenv.Collector(t), config, s.override()))
	reload := func() {
		restarts := strings.Count(c.Log(), "Everything is ready")
		require.NoError(t, c.Signal(syscall.SIGHUP))
		require.Eventually(t, func() bool { return strings.Count(c.Log(), "Everything is ready") > restarts }, patience, 50*time.Millisecond, c.Log())
	}
	heldNow := func() collector.Held {
		held, err := c.Held()
		require.NoError(t, err)
		require.NotEmpty(t, held.Programs)
		require.NotEmpty(t, held.Maps)
		require.NotEmpty(t, held.Links)
		return held
	}

	first := heldNow()
	names := programNames(t, first)
	assert.NotContains(t, names, "packet_drop")
	assert.Contains(t, strings.Join(names, " "), "connection_")

	write()
	reload()
	both := heldNow()
	requireGone(t, first)
	names = programNames(t, both)
	assert.Contains(t, names, "packet_drop")
	assert.Contains(t, strings.Join(names, " "), "connection_")
	did := job{Refused: 1, Datagrams: 1, Bytes: 1}.make(t, "curl", nil)
	fromFile := func() []collector.Event { return readEvents(t, s.events) }
	await(t, fromFile, 1, "ebpf.connection.connect", map[string]any{"process.pid": int64(did.PID), "error.type": "refused"})
	await(t, fromFile, 1, "ebpf.packet.drop", map[string]any{"source.port": int64(did.DatagramPort), "network.transport": "udp"})

	write("connection")
	reload()
	last := heldNow()
	requireGone(t, both)
	names = programNames(t, last)
	assert.Contains(t, names, "packet_drop")
	assert.NotContains(t, strings.Join(names, " "), "connection_")
	did = job{Refused: 1, Datagrams: 1, Bytes: 1}.make(t, "curl", nil)
	await(t, fromFile, 1, "ebpf.packet.drop", map[string]any{"source.port": int64(did.DatagramPort), "network.transport": "udp"})

	require.NoError(t, c.Stop())
	requireGone(t, last)
	assert.Empty(t, collector.Matching(fromFile(), "ebpf.connection.connect", map[string]any{"process.pid": int64(did.PID)}))
}

func programNames(t *testing.T, held collector.Held) (names []string) {
	t.Helper()
	for _, id := range held.Programs {
		p, err := ebpf.NewProgramFromID(ebpf.ProgramID(id))
		require.NoError(t, err)
		info, err := p.Info()
		require.NoError(t, err)
		names = append(names, info.Name)
		require.NoError(t, p.Close())
	}
	slices.Sort(names)
	return names
}

// requireGone waits until the kernel has freed all objects. It frees some of them a little after their last user.
func requireGone(t *testing.T, held collector.Held) {
	t.Helper()
	require.NotEmpty(t, held.Programs)
	gone := func(open func(id uint32) (interface{ Close() error }, error)) func(uint32) bool {
		return func(id uint32) bool {
			o, err := open(id)
			if err == nil {
				_ = o.Close()
			}
			return errors.Is(err, os.ErrNotExist)
		}
	}
	for kind, left := range map[string]struct {
		ids  []uint32
		open func(uint32) (interface{ Close() error }, error)
	}{
		"program": {held.Programs, func(id uint32) (interface{ Close() error }, error) {
			return ebpf.NewProgramFromID(ebpf.ProgramID(id))
		}},
		"map":  {held.Maps, func(id uint32) (interface{ Close() error }, error) { return ebpf.NewMapFromID(ebpf.MapID(id)) }},
		"link": {held.Links, func(id uint32) (interface{ Close() error }, error) { return link.NewFromID(link.ID(id)) }},
	} {
		require.Eventually(t, func() bool {
			left.ids = slices.DeleteFunc(left.ids, gone(left.open))
			return len(left.ids) == 0
		}, patience, 100*time.Millisecond, "%s left in the kernel: %v", kind, left.ids)
	}
}
