// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// preforked is a server whose parent listens and whose worker accepts.
type preforked struct {
	parent, worker *traffic.Agent
	listener       traffic.Socket
	shared         int
}

func newPreforked(t *testing.T, s clientServer) preforked {
	t.Helper()
	// Run as root, because sharing a descriptor needs the right to trace the other process.
	p := preforked{
		parent: traffic.Start(t, s.right, traffic.Named("prefork-parent", "parent")),
		worker: traffic.Start(t, s.right, traffic.Named("prefork-worker", "worker")),
	}
	p.listener = p.parent.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	p.shared = p.worker.Take(p.parent, p.listener.FD)
	return p
}

// serve makes the worker handle one connection to its end.
func (p preforked) serve(s clientServer) {
	c := s.client.Connect(p.listener.Local)
	a := p.worker.Accept(p.shared)
	closeInTurn(s.client, c.FD, p.worker, a.FD)
}

func TestConnectionOfPreforkedServer(t *testing.T) {
	testnet.Require(t)
	r := testreceiver.Start(t, onlyConnection)
	s := newClientServer(t)
	p := newPreforked(t, s)
	p.serve(s)

	events := r.Exactly(t, 2, testreceiver.OfProcess(p.parent.PID, p.worker.PID))
	for _, name := range []string{acceptEvent, closeEvent} {
		e := only(t, events, name, p.parent)
		assert.Equal(t, "prefork-parent", e.Attributes["process.executable.name"])
		assert.Equal(t, "parent", e.Attributes["thread.name"])
		assert.Equal(t, "socket", e.Attributes["ebpf.attribution"])
	}

	// When the parent has ended, the owner is the process that has the listener now.
	p.parent.Exit()
	for range 3 {
		p.serve(s)
	}
	events = r.Exactly(t, 6, testreceiver.OfProcess(p.worker.PID))
	for _, e := range events {
		assert.Equal(t, "prefork-worker", e.Attributes["process.executable.name"], "%s", e)
		assert.Equal(t, "socket", e.Attributes["ebpf.attribution"], "%s", e)
	}
	assert.Len(t, r.Events.Matching(testreceiver.OfProcess(p.parent.PID)), 2)
}

// A connection belongs to its present holder: the process that connected has passed it on, and has ended or just closed it.
func TestConnectionPassedOn(t *testing.T) {
	testnet.Require(t)
	for _, programs := range []string{"connection: {protocols: [tcp]}, tcp: {}", "tcp: {}"} {
		r := testreceiver.Start(t, "programs: {"+programs+"}")
		connections := strings.HasPrefix(programs, "connection")
		for name, leave := range map[string]func(giver *traffic.Agent, fd int){
			"and ended":  func(giver *traffic.Agent, _ int) { giver.Exit() },
			"and closed": func(giver *traffic.Agent, fd int) { giver.Close(fd) },
		} {
			for end, finish := range map[string]func(taker, server *traffic.Agent, fd, peer int){
				"closed":         func(taker, server *traffic.Agent, fd, peer int) { closeInTurn(taker, fd, server, peer) },
				"aborted":        func(taker, _ *traffic.Agent, fd, _ int) { taker.Reset(fd) },
				"reset by peer":  func(taker, server *traffic.Agent, fd, peer int) { server.Reset(peer); taker.Receive(fd, 1) },
				"closed by peer": func(taker, server *traffic.Agent, fd, peer int) { closeInTurn(server, peer, taker, fd) },
			} {
				t.Run(programs+" "+name+" "+end, func(t *testing.T) {
					s := newClientServer(t)
					giver := traffic.Start(t, s.left, traffic.Named("giver", "giver"))
					taker := traffic.Start(t, s.left, traffic.Named("taker", "taker"))
					listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
					c := giver.Connect(listener.Local)
					accepted := s.server.Accept(listener.FD)
					fd := taker.Take(giver, c.FD)
					leave(giver, c.FD)
					finish(taker, s.server, fd, accepted.FD)
					r.Settle(t)

					of := testreceiver.With("ebpf.socket.cookie", int64(c.Cookie))
					if connections {
						connect := r.Exactly(t, 1, of, testreceiver.Named(connectEvent))[0]
						assert.EqualValues(t, giver.PID, connect.Attributes["process.pid"])
						closed := r.Exactly(t, 1, of, testreceiver.Named(closeEvent))[0]
						checkTaker(t, closed, taker, name == "and closed" && end == "reset by peer", giver)
					}
					if end == "aborted" {
						reset := r.Exactly(t, 1, of, testreceiver.Named("ebpf.tcp.reset"))[0]
						checkTaker(t, reset, taker, false, giver)
					}
				})
			}
		}
	}
}

// checkTaker checks that an event belongs to the process that has taken a socket. If only the kernel acted and the giver is
// alive, it may still belong to the giver.
func checkTaker(t *testing.T, e testreceiver.Event, taker *traffic.Agent, orGiver bool, giver *traffic.Agent) {
	t.Helper()
	if orGiver && e.Attributes["process.pid"] == int64(giver.PID) {
		return
	}
	assert.EqualValues(t, taker.PID, e.Attributes["process.pid"], "%s", e)
	assert.Equal(t, taker.Executable, e.Attributes["process.executable.name"], "%s", e)
	assert.Equal(t, "socket", e.Attributes["ebpf.attribution"], "%s", e)
}

// A process that has executed another program is reported as that program, also when it ends without closing the connection.
func TestConnectionOfProcessThatExecutes(t *testing.T) {
	testnet.Require(t)
	bash, err := exec.LookPath("bash")
	if err != nil {
		testenv.Missing(t, "this test needs bash to connect")
	}
	r := testreceiver.Start(t, onlyConnection)
	for end, script := range map[string]string{"ends": "exec sleep 0.1", "closes": "exec bash -c 'sleep 0.1; exec 3>&-; sleep 0.1'"} {
		t.Run(end, func(t *testing.T) {
			s := newClientServer(t)
			listener := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
			script := fmt.Sprintf("exec 3<>/dev/tcp/%s/%d; %s", listener.Local.Addr(), listener.Local.Port(), script)
			cmd := exec.Command("bash", "-c", script)
			require.NoError(t, s.left.Run(cmd.Run))
			accepted := s.server.Accept(listener.FD)
			s.server.ReceiveEOF(accepted.FD)
			s.server.Close(accepted.FD)

			name := map[string]string{"ends": "sleep", "closes": filepath.Base(bash)}[end]
			events := r.Exactly(t, 2, testreceiver.OfProcess(cmd.Process.Pid))
			assert.Equal(t, filepath.Base(bash), events[0].Attributes["process.executable.name"], "%s", events[0])
			assert.Equal(t, closeEvent, events[1].Name)
			assert.Equal(t, name, events[1].Attributes["process.executable.name"], "%s", events[1])
			assert.Equal(t, name, events[1].Attributes["thread.name"], "%s", events[1])
		})
	}
}

// A listener older than the receiver has an owner, too.
func TestConnectionsOfListenersOlderThanTheReceiver(t *testing.T) {
	testnet.Require(t)
	s := newClientServer(t)
	p := newPreforked(t, s)
	ipv4 := s.server.Listen(traffic.Addr(testnet.Right.IPv4, 0))
	ipv6 := s.server.Listen(traffic.Addr(testnet.Right.IPv6, 0))
	listeners := map[string]traffic.Socket{"IPv4": ipv4, "IPv6": ipv6}
	if testnet.HasMPTCP() {
		listeners["MPTCP"] = s.server.ListenMPTCP(traffic.Addr(testnet.Right.IPv4, 0))
	}
	web := s.server.ServeHTTP(traffic.Addr(testnet.Right.IPv4, 0))
	require.Equal(t, testnet.HasMPTCP(), web.MPTCP, "the test needs an MPTCP listener")

	r := testreceiver.Start(t, onlyConnection)
	for name, l := range listeners {
		t.Run(name, func(t *testing.T) {
			c := s.client.Connect(l.Local)
			accepted := s.server.Accept(l.FD)
			events := r.Exactly(t, 1, testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(l.Local.Port())))
			want := connection("tcp", "server", c.Local, l.Local, accepted.Cookie, s.right).
				with(owner(s.server, "socket"))
			check(t, events[0], acceptEvent, plog.SeverityNumberInfo, want)
			closeInTurn(s.server, accepted.FD, s.client, c.FD)
			r.Exactly(t, 1, testreceiver.Named(closeEvent), testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(l.Local.Port())))
		})
	}
	t.Run("both ends MPTCP", func(t *testing.T) {
		testnet.RequireMPTCP(t)
		mptcp := listeners["MPTCP"]
		c := s.client.ConnectMPTCP(mptcp.Local)
		accepted := s.server.Accept(mptcp.FD)
		require.Equal(t, unix.IPPROTO_MPTCP, accepted.Protocol)
		r.Exactly(t, 1, testreceiver.Named(acceptEvent), testreceiver.OfProcess(s.server.PID), testreceiver.With("client.port", int64(c.Local.Port())))
	})
	t.Run("Go server", func(t *testing.T) {
		s.client.GetHTTP(web.Address, 3)
		r.Exactly(t, 6, testreceiver.OfProcess(s.server.PID), testreceiver.With("server.port", int64(web.Address.Port())))
	})
	t.Run("preforked", func(t *testing.T) {
		p.serve(s)
		r.Exactly(t, 2, testreceiver.OfProcess(p.parent.PID))
		assert.Empty(t, r.Events.Matching(testreceiver.OfProcess(p.worker.PID)))
	})
}

// Connections that are not accepted yet are in no process's descriptors.
func TestConnectionsOlderThanTheReceiverAndNotAccepted(t *testing.T) {
	testnet.Require(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			listener := s.server.Listen(traffic.Addr(f.listen, 0))
			const count, bytes = 5, 100
			var clients []traffic.Conn
			for range count {
				clients = append(clients, s.client.Connect(traffic.Addr(f.dial, listener.Local.Port())))
			}

			r := testreceiver.Start(t, onlyConnection)
			for range count {
				accepted := s.server.Accept(listener.FD)
				i := slices.IndexFunc(clients, func(c traffic.Conn) bool { return c.Local.Port() == accepted.Remote.Port() })
				require.GreaterOrEqual(t, i, 0)
				exchange(t, s.server, accepted.FD, s.client, clients[i].FD, bytes)
				closeInTurn(s.server, accepted.FD, s.client, clients[i].FD)
				e := r.Exactly(t, 1, testreceiver.OfProcess(s.server.PID), testreceiver.With("client.port", int64(accepted.Remote.Port())))[0]
				check(t, e, closeEvent, plog.SeverityNumberInfo,
					connection("tcp", "server", clients[i].Local, clients[i].Remote, accepted.Cookie, s.right).
						with(owner(s.server, "socket")).
						with(attributes{"ebpf.connection.bytes_sent": int64(bytes), "ebpf.connection.bytes_received": int64(0), retransmitsKey: int64(0)}),
					rttKey, rttMinKey)
			}
			r.Exactly(t, count, testreceiver.OfProcess(s.client.PID))
			m := r.Scrape(t).In(container)
			assert.Equal(t, 0, m.Int(activeMetric, nil))
			assert.Equal(t, 0, m.Int(openedMetric, nil))
			assert.Equal(t, count*bytes, m.Int(ioMetric, tcp(f.networkType, "server").With("network.io.direction", "transmit")))
		})
	}
}

// Connections older than the receiver are counted as active, and their close events are complete.
func TestConnectionsOlderThanTheReceiver(t *testing.T) {
	testnet.Require(t)
	for _, f := range families {
		t.Run(f.name, func(t *testing.T) {
			container := testhost.NewContainer(t)
			s := newClientServer(t, traffic.In(container))
			p := s.establish(t, f)
			exchange(t, s.client, p.client.FD, s.server, p.server.FD, 100)

			r := testreceiver.Start(t, onlyConnection)
			metrics := r.Scrape(t).In(container)
			for _, role := range []string{"client", "server"} {
				series := testreceiver.Attributes{"network.transport": "tcp", "network.type": f.networkType, "ebpf.connection.role": role}
				assert.Equal(t, 1, metrics.Int("ebpf.connection.active", series), role)
				assert.Equal(t, 0, metrics.Int("ebpf.connection.opened", series), "it was opened before the start")
			}

			exchange(t, s.server, p.server.FD, s.client, p.client.FD, 200)
			first, second := closeInTurn(s.client, p.client.FD, s.server, p.server.FD)
			events := r.Exactly(t, 2, testreceiver.OfProcess(s.client.PID, s.server.PID))

			closed := only(t, events, closeEvent, s.client)
			check(t, closed, closeEvent, plog.SeverityNumberInfo,
				connection("tcp", "client", p.client.Local, p.client.Remote, p.client.Cookie, s.left).
					with(owner(s.client, "socket")).
					with(attributes{"ebpf.connection.bytes_sent": int64(100), "ebpf.connection.bytes_received": int64(200), retransmitsKey: int64(0)}),
				rttKey, rttMinKey)
			within(t, closed, first.Start, second.End)
			closed = only(t, events, closeEvent, s.server)
			check(t, closed, closeEvent, plog.SeverityNumberInfo,
				connection("tcp", "server", p.client.Local, p.client.Remote, p.server.Cookie, s.right).
					with(owner(s.server, "socket")).
					with(attributes{"ebpf.connection.bytes_sent": int64(200), "ebpf.connection.bytes_received": int64(100), retransmitsKey: int64(0)}),
				rttKey, rttMinKey)
			assert.Equal(t, 0, r.Scrape(t).In(container).Int("ebpf.connection.active", nil), "no connection is active")
		})
	}
}
