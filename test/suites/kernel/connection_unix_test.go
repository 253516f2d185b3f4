// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

func TestConnectionUnix(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp, udp, unix]}}")
	s := newClientServer(t)
	// Abstract names belong to a network namespace.
	server := traffic.Start(t, s.left)
	// The path must be short enough for a unix address, and accessible to the agents' users.
	dir, err := os.MkdirTemp("/tmp", "kt-unix")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	require.NoError(t, os.Chmod(dir, 0o777))
	// A unix address has 108 bytes. The last one is the terminating zero.
	longest := filepath.Join(dir, strings.Repeat("l", 106-len(dir)))
	abstract := "@kt-" + strconv.Itoa(server.PID)

	for name, c := range map[string]struct {
		listen, dial string
		errno        unix.Errno
		errorType    string
	}{
		"path":           {listen: filepath.Join(dir, "socket"), dial: filepath.Join(dir, "socket")},
		"longest path":   {listen: longest, dial: longest},
		"abstract":       {listen: abstract, dial: abstract},
		"no such file":   {dial: filepath.Join(dir, "nothing"), errno: unix.ENOENT, errorType: "enoent"},
		"no such name":   {dial: abstract + "-nothing", errno: unix.ECONNREFUSED, errorType: "refused"},
		"nobody listens": {dial: filepath.Join(dir, "closed"), errno: unix.ECONNREFUSED, errorType: "refused"},
	} {
		for kindName, kind := range map[string]int{"stream": unix.SOCK_STREAM, "dgram": unix.SOCK_DGRAM} {
			t.Run(name+" "+kindName, func(t *testing.T) {
				// Use one file for each kind of socket.
				suffix := "-" + kindName[:1]
				fit := func(path string) string {
					if path == longest {
						return path[:len(path)-len(suffix)] + suffix
					}
					return path + suffix
				}
				listen := func(path string) int {
					fd := server.ListenUnix(kind, path).FD
					if path[0] != '@' {
						require.NoError(t, os.Chmod(path, 0o777))
					}
					return fd
				}
				if c.listen != "" {
					listen(fit(c.listen))
				}
				if name == "nobody listens" {
					server.Close(listen(fit(c.dial)))
				}
				connected := s.client.OnThread("dialer").ConnectUnix(kind, fit(c.dial))
				require.Equal(t, c.errno, connected.Errno)

				e := r.Exactly(t, 1, testreceiver.OfProcess(s.client.PID), testreceiver.With("server.address", fit(c.dial)))[0]
				want := attributes{
					"network.transport":      "unix",
					"server.address":         fit(c.dial),
					"ebpf.connection.role":   "client",
					"ebpf.network.namespace": int64(s.left.Inode),
				}.with(owner(s.client.OnThread("dialer"), "current"))
				severity := plog.SeverityNumberInfo
				if c.errorType != "" {
					want["error.type"], severity = c.errorType, plog.SeverityNumberWarn
				}
				// A socket gets its cookie when somebody asks for it, and the test asks only afterwards.
				if _, ok := e.Attributes["ebpf.socket.cookie"]; ok {
					want["ebpf.socket.cookie"] = int64(connected.Cookie)
				}
				check(t, e, connectEvent, severity, want)
				within(t, e, connected.Start, connected.End)
			})
		}
	}
	assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(server.PID)), "the listener does not connect")
}

// A connect() that is interrupted by a signal is a single connect(): it is restarted or fails, depending on the signal
// handler.
func TestConnectionUnixInterrupted(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp, unix]}}")
	for name, c := range map[string]struct {
		restart   bool
		errno     unix.Errno
		errorType string
	}{
		"restarted": {restart: true},
		"failed":    {errno: unix.EINTR, errorType: "eintr"},
	} {
		t.Run(name, func(t *testing.T) {
			ns, container := testnet.NewNamespace(t), testhost.NewContainer(t)
			agent := traffic.Start(t, ns, traffic.In(container))
			path := "@kt-" + strconv.Itoa(agent.PID)
			listener := agent.ListenUnix(unix.SOCK_STREAM, path)
			agent.FillUnix(path)
			r.Settle(t)
			full := len(r.Events.Matching(testreceiver.OfProcess(agent.PID)))
			refused := len(r.Events.Matching(testreceiver.OfProcess(agent.PID), testreceiver.With("error.type", "eagain")))
			require.Equal(t, 1, refused)

			connected := agent.OnThread("dialer").ConnectUnixInterrupted(listener.FD, path, 3, c.restart)
			require.Equal(t, c.errno, connected.Errno)
			e := r.Exactly(t, full+1, testreceiver.OfProcess(agent.PID))[full]
			within(t, e, connected.Start, connected.End)
			want, severity := attributes{
				"network.transport":      "unix",
				"server.address":         path,
				"ebpf.connection.role":   "client",
				"ebpf.network.namespace": int64(ns.Inode),
			}.with(owner(agent.OnThread("dialer"), "current")), plog.SeverityNumberInfo
			failed := map[string]int{"eagain": 1}
			if c.errorType != "" {
				want["error.type"], severity = c.errorType, plog.SeverityNumberWarn
				failed[c.errorType] = 1
			}
			if _, ok := e.Attributes["ebpf.socket.cookie"]; ok {
				want["ebpf.socket.cookie"] = int64(connected.Cookie)
			}
			check(t, e, connectEvent, severity, want)

			m := r.Scrape(t).In(container)
			assert.Len(t, m.Series(failedMetric), len(failed), "%v", m.Series(failedMetric))
			for errorType, n := range failed {
				assert.Equal(t, n, m.Int(failedMetric, testreceiver.Attributes{"error.type": errorType}), errorType)
			}
			assert.Equal(t, full+1-len(failed), m.Int(openedMetric, nil))
		})
	}
}

// The program ignores a connect with an unknown address family, without an address, or on a closed descriptor.
func TestConnectionUnixLeavesOthersAlone(t *testing.T) {
	testnet.Require(t)
	tracefstest.Mount(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [unix]}, packet_drop: {}}")
	s := newClientServer(t)
	listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	s.client.Connect(listener.Local)
	s.client.ConnectUDP(s.client.OpenUDP(traffic.Addr(testnet.Left.IPv4, 0)).FD, listener.Local)
	r.Settle(t)
	assert.Empty(t, r.Events.Matching(testreceiver.Named(connectEvent), testreceiver.OfProcess(s.client.PID)))
}

// An operation of io_uring is not a system call.
func TestConnectionUnixByRing(t *testing.T) {
	testnet.Require(t)
	if !kernelSays().requests {
		testenv.Lacking(t, "the tracepoint of what io_uring is asked for, which came with 6.3")
	}
	tracefstest.Mount(t)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp, unix]}}")
	container := testhost.NewContainer(t)
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(container))
	path, abstract := filepath.Join(t.TempDir(), "s"), "@kt-ring-"+strconv.Itoa(a.PID)
	a.ListenUnix(unix.SOCK_STREAM, path)
	a.ListenUnix(unix.SOCK_STREAM, abstract)
	for to, errorType := range map[string]string{path: "", abstract: "", path + "-none": "enoent", abstract + "-none": "refused"} {
		c := a.OnThread("dialer").ConnectUnixByRing(unix.SOCK_STREAM, to)
		e := r.Exactly(t, 1, testreceiver.OfProcess(a.PID), testreceiver.With("server.address", to))[0]
		assert.Equal(t, errorType == "", c.Errno == 0)
		assert.Equal(t, connectEvent, e.Name)
		assert.Equal(t, "unix", e.Attributes["network.transport"])
		if errorType == "" {
			assert.NotContains(t, e.Attributes, "error.type")
		} else {
			assert.Equal(t, errorType, e.Attributes["error.type"])
		}
		assert.Equal(t, "dialer", e.Attributes["thread.name"])
		assert.Equal(t, container.ContainerID, e.Resource["container.id"])
		within(t, e, c.Start, c.End)
	}
	m := r.Scrape(t).In(container)
	assert.Equal(t, 2, m.Int(openedMetric, testreceiver.Attributes{"network.transport": "unix"}))
	assert.Equal(t, 2, m.Int(failedMetric, testreceiver.Attributes{"network.transport": "unix"}))
}
