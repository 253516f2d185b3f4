// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// job is the traffic that a child makes, in this order. No process listens on the closed port.
type job struct {
	Refused    int    // connects to the closed port
	Server     string // address to connect to, send Up bytes and read Down bytes
	Up, Down   int
	Datagrams  int // datagrams to the closed port, from one socket
	Bytes      int // of each datagram
	ToItself   int // connections to a listener of its own, one after the other
	ClosedPort uint16
}

// truth is what the child did.
type truth struct {
	PID, ClientPort, DatagramPort int
}

// doJob is the operation of the child.
var doJob = traffic.Define("e2e.job", func(j job) (truth, error) { return j.do() })

func (j *job) do() (done truth, err error) {
	done.PID = os.Getpid()
	closed := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), j.ClosedPort)
	for range j.Refused {
		if _, err := net.Dial("tcp4", closed.String()); !errors.Is(err, syscall.ECONNREFUSED) {
			return done, fmt.Errorf("not refused: %w", err)
		}
	}
	if j.Server != "" {
		if done.ClientPort, err = j.talk(); err != nil {
			return done, err
		}
	}
	if j.Datagrams > 0 {
		if done.DatagramPort, err = j.send(closed); err != nil {
			return done, err
		}
	}
	return done, j.toItself()
}

func (j *job) talk() (port int, err error) {
	c, err := net.Dial("tcp4", j.Server)
	if err != nil {
		return 0, err
	}
	defer c.Close()
	if _, err := c.Write(make([]byte, j.Up)); err != nil {
		return 0, err
	}
	_, err = io.ReadFull(c, make([]byte, j.Down))
	return c.LocalAddr().(*net.TCPAddr).Port, err
}

func (j *job) send(to netip.AddrPort) (port int, err error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return 0, err
	}
	defer c.Close()
	for range j.Datagrams {
		if _, err := c.WriteToUDPAddrPort(make([]byte, j.Bytes), to); err != nil {
			return 0, err
		}
	}
	return c.LocalAddr().(*net.UDPAddr).Port, nil
}

func (j *job) toItself() error {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer l.Close()
	for range j.ToItself {
		client, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return err
		}
		server, err := l.Accept()
		if err != nil {
			return err
		}
		if err := errors.Join(client.Close(), server.Close()); err != nil {
			return err
		}
	}
	return nil
}

// closedPort is a port of this host that nobody listens on, for TCP and UDP.
const closedPort = 1

// make makes the traffic in a process of that name, in the container if that is not nil, and returns when the process has
// ended.
func (j job) make(t *testing.T, name string, in *testhost.Cgroup) truth {
	t.Helper()
	j.ClosedPort = closedPort
	return traffic.Once(t, name, in, doJob, j)
}

// serve listens for one connection, reads up bytes, sends down bytes, and waits for the client to close.
func serve(t *testing.T, up, down int) (address netip.AddrPort, done <-chan error) {
	t.Helper()
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { _ = l.Close() })
	result := make(chan error, 1)
	go func() {
		result <- func() error {
			c, err := l.Accept()
			if err != nil {
				return err
			}
			defer c.Close()
			if _, err := io.ReadFull(c, make([]byte, up)); err != nil {
				return err
			}
			if _, err := c.Write(make([]byte, down)); err != nil {
				return err
			}
			_, err = io.Copy(io.Discard, c)
			return err
		}()
	}()
	return l.Addr().(*net.TCPAddr).AddrPort(), result
}
