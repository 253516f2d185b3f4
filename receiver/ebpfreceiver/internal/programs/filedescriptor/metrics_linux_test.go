// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

const aScrapeLater = programtest.Start + 10_000_000_000

// withTables returns a program whose scans read these tables.
func withTables(t *testing.T, host *program.Host, config *Config, tables *[]*bpf.FileDescriptorTable) (*descriptors, *ebpf.Map) {
	t.Helper()
	p := newProgram(config, host).(*descriptors)
	maps := programtest.Maps(t, p, bpf.FileDescriptorMapFileDescriptorOperations, bpf.FileDescriptorMapFileDescriptorScan)
	p.openScan = func() (io.ReadCloser, error) {
		var stream bytes.Buffer
		for _, table := range *tables {
			stream.Write(programtest.Bytes(table))
		}
		return io.NopCloser(&stream), nil
	}
	return p, maps[bpf.FileDescriptorMapFileDescriptorOperations]
}

func in(cgroup uint64, executable string, table *bpf.FileDescriptorTable) *bpf.FileDescriptorTable {
	table.Owner.Cgroup = cgroup
	copy(chars(table.Owner.Executable[:]), executable)
	return table
}

func TestScrapeGolden(t *testing.T) {
	host := programtest.Host(t)
	config := defaultConfig()
	config.Processes = 4
	var tables []*bpf.FileDescriptorTable
	p, operations := withTables(t, host, config, &tables)
	m := programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount(), "nothing is open")

	every := map[int]uint32{}
	for kind := range kinds {
		every[kind] = uint32(100 + kind)
	}
	tables = []*bpf.FileDescriptorTable{
		in(programtest.Service, "sshd", table(10, map[int]uint32{file: 4, socket: 3})),
		in(programtest.Web, "nginx", table(20, every)),
		in(programtest.WebChild, "nginx", table(21, map[int]uint32{socket: 1 << 20})),
		in(programtest.Database, "caf\xe9", table(30, map[int]uint32{pipe: 8})),
		in(0, "", table(40, map[int]uint32{file: 2, pipe: 1})),
		in(programtest.Web, "sh", table(41, map[int]uint32{file: 3})),
	}
	n := uint64(0)
	for _, cgroup := range []uint64{0, programtest.Service, programtest.Web, programtest.WebChild, metrics.OverflowCgroup} {
		for _, operation := range []uint32{opened, closed} {
			for _, kind := range []int{0, socket} {
				if cgroup == metrics.OverflowCgroup && kind != 0 {
					continue // that is one series
				}
				n++
				key := bpf.FileDescriptorSeries{Cgroup: cgroup, Operation: operation, Kind: uint32(kind)}
				programtest.PutPerCPU(t, operations, &key, bpf.FileDescriptorCounts{Operations: n << 8}, bpf.FileDescriptorCounts{Operations: 1})
			}
		}
	}
	m = programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
	require.NoError(t, p.Scrape(m))
	programtest.CompareMetrics(t, "metrics.yaml", m.Emit())
}

// emitted makes the host's programs emit into a batch, and returns its content.
func emitted(t *testing.T, host *program.Host) func() []plog.LogRecord {
	t.Helper()
	b := programtest.NewBatch(host, true)
	host.Emit = func(appendLog func(*batch.Batch)) { appendLog(b) }
	return func() (leaks []plog.LogRecord) {
		logs := b.Flush().Logs
		programtest.AssertSound(t, logs)
		for _, rl := range logs.ResourceLogs().All() {
			for _, lr := range rl.ScopeLogs().At(0).LogRecords().All() {
				leaks = append(leaks, lr)
			}
		}
		return leaks
	}
}

// A leak is emitted once, however many scrapes see it, and even if other processes have more descriptors.
func TestScrapeFindsLeaks(t *testing.T) {
	host := programtest.Host(t)
	leaks := emitted(t, host)
	config := defaultConfig()
	config.Processes, config.LeakIntervals = 1, 2
	var tables []*bpf.FileDescriptorTable
	p, _ := withTables(t, host, config, &tables)
	begin := time.Now()
	for i := range uint32(6) {
		tables = []*bpf.FileDescriptorTable{
			table(10, map[int]uint32{file: 100}), table(11, map[int]uint32{file: 200}),
			in(programtest.Web, "nginx", table(20, map[int]uint32{file: 9, socket: 5 + 3*i})),
			table(30, map[int]uint32{file: 300}),
		}
		require.NoError(t, p.Scrape(programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())))
	}
	found := leaks()
	require.Len(t, found, 1)
	attributes := found[0].Attributes().AsRaw()
	assert.Equal(t, int64(6), attributes["ebpf.file_descriptor.leak.growth"])
	assert.Equal(t, "socket", attributes["ebpf.file_descriptor.kind"])
	assert.Equal(t, int64(20), attributes["process.pid"])
	assert.Equal(t, host.Containers.Path(programtest.Web), attributes["process.linux.cgroup"])
	assert.WithinRange(t, found[0].Timestamp().AsTime(), begin, time.Now(), "the time of detection")
}

// The tables of a process with unshared tables are not known all at once. That is not growth.
func TestScrapeOfUnsharedTablesFindsNoLeak(t *testing.T) {
	host := programtest.Host(t)
	leaks := emitted(t, host)
	config := defaultConfig()
	config.LeakIntervals = 2
	var tables []*bpf.FileDescriptorTable
	p, _ := withTables(t, host, config, &tables)
	for _, open := range []uint32{1, 1, 2, 2, 2} {
		tables = []*bpf.FileDescriptorTable{
			ofThread(20, 21, map[int]uint32{socket: 10}), table(20, map[int]uint32{socket: open}),
		}
		require.NoError(t, p.Scrape(programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())))
	}
	assert.Empty(t, leaks())
}

// All leaks of a scrape are emitted, unless events are off.
func TestScrapeEmitsAllLeaks(t *testing.T) {
	for _, enabled := range []bool{true, false} {
		host := programtest.Host(t)
		host.Events.EbpfFileDescriptorLeak.Enabled = enabled
		leaks := emitted(t, host)
		config := defaultConfig()
		config.LeakIntervals = 2
		var tables []*bpf.FileDescriptorTable
		p, _ := withTables(t, host, config, &tables)
		for i := range uint32(3) {
			tables = []*bpf.FileDescriptorTable{table(20, map[int]uint32{socket: i, pipe: i}), table(30, map[int]uint32{file: i})}
			require.NoError(t, p.Scrape(programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())))
		}
		var found []string
		for _, lr := range leaks() {
			attributes := lr.Attributes().AsRaw()
			found = append(found, fmt.Sprint(attributes["process.pid"], " ", attributes["ebpf.file_descriptor.kind"]))
		}
		if enabled {
			assert.ElementsMatch(t, []string{"20 socket", "20 pipe", "30 file"}, found)
		} else {
			assert.Empty(t, found)
		}
	}
}

func TestScrapeErrors(t *testing.T) {
	host := programtest.Host(t)
	tables := []*bpf.FileDescriptorTable{table(20, map[int]uint32{socket: 1})}
	broken := errors.New("broken")
	whole, _ := withTables(t, host, defaultConfig(), &tables)
	for name, breakIt := range map[string]func(p *descriptors){
		"begin": func(p *descriptors) { p.beginScan = func(*bpf.FileDescriptorScan) error { return broken } },
		"open":  func(p *descriptors) { p.openScan = func() (io.ReadCloser, error) { return nil, broken } },
		"close": func(p *descriptors) {
			p.openScan = func() (io.ReadCloser, error) { return brokenCloser{bytes.NewReader(nil), broken}, nil }
		},
	} {
		p := *whole
		breakIt(&p)
		m := programtest.NewMetrics(host, aScrapeLater, metadata.DefaultMetricsConfig())
		require.ErrorIs(t, p.Scrape(m), broken, name)
		assert.Zero(t, m.Emit().MetricCount(), name)
	}
}

type brokenCloser struct {
	io.Reader
	err error
}

func (c brokenCloser) Close() error { return c.err }

func TestScrapeDisabled(t *testing.T) {
	host := programtest.Host(t)
	tables := []*bpf.FileDescriptorTable{table(20, map[int]uint32{socket: 1})}
	p, _ := withTables(t, host, defaultConfig(), &tables)
	config := metadata.DefaultMetricsConfig()
	config.EbpfFileDescriptorCount.Enabled = false
	m := programtest.NewMetrics(host, aScrapeLater, config)
	require.NoError(t, p.Scrape(m))
	assert.Zero(t, m.Emit().MetricCount())
}
