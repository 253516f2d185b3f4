// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package e2e

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/stretchr/testify/require"
)

// trafficEnv marks the child process that makes traffic; its value is its job.
const trafficEnv = "OTELCOL_EBPF_E2E_TRAFFIC"

// job is the traffic that a child makes, in this order. Nobody listens on the closed port.
type job struct {
	Refused    int    // connects to the closed port
	Server     string // where it connects to, sends Up bytes and reads Down
	Up, Down   int
	Datagrams  int // datagrams to the closed port, from one socket
	Bytes      int // of each of them
	ToItself   int // connections to a listener of its own, one after the other
	ClosedPort uint16
}

// truth is what the child has done.
type truth struct {
	PID, ClientPort, DatagramPort int
}

// trafficMain does a child's job, and does not return if this process is one.
func trafficMain() {
	text := os.Getenv(trafficEnv)
	if text == "" {
		return
	}
	var j job
	err := json.Unmarshal([]byte(text), &j)
	if err == nil {
		err = j.do()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "traffic:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func (j *job) do() (err error) {
	done := truth{PID: os.Getpid()}
	closed := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), j.ClosedPort)
	for range j.Refused {
		if _, err := net.Dial("tcp4", closed.String()); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("not refused: %w", err)
		}
	}
	if j.Server != "" {
		if done.ClientPort, err = j.talk(); err != nil {
			return err
		}
	}
	if j.Datagrams > 0 {
		if done.DatagramPort, err = j.send(closed); err != nil {
			return err
		}
	}
	if err := j.toItself(); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(done)
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

// make makes the traffic by a process of that name, in the container if there is one, and returns when it has ended.
func (j job) make(t *testing.T, name string, in *testhost.Cgroup) truth {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	path := filepath.Join(t.TempDir(), name)
	if os.Link(self, path) != nil {
		text, err := os.ReadFile(self)
		require.NoError(t, err)
		require.NoError(t, os.WriteFile(path, text, 0o700))
	}
	j.ClosedPort = closedPort
	text, err := json.Marshal(j)
	require.NoError(t, err)
	cmd := exec.Command(path)
	cmd.Env = append(os.Environ(), trafficEnv+"="+string(text))
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if in != nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: in.FD()}
	}
	require.NoError(t, cmd.Run(), errs.String())
	var done truth
	require.NoError(t, json.Unmarshal(out.Bytes(), &done))
	return done
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
