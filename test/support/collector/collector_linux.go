// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// ready is the log message that ends a successful start.
	ready = "Everything is ready"
	// patience is the limit for a start or a stop.
	patience = 30 * time.Second
)

// Collector is a running collector.
type Collector struct {
	cmd    *exec.Cmd
	log    *log
	output *log
	ended  chan struct{}
	err    error // how the process ended; valid after ended is closed
}

// Command returns the command that runs the collector with configurations. Later ones override earlier ones. Each is the path
// of a file or, with the prefix "yaml:", the configuration itself.
func Command(binary string, configs ...string) *exec.Cmd {
	var args []string
	for _, c := range configs {
		args = append(args, "--config", c)
	}
	cmd := exec.Command(binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// Start starts a command and returns when the collector is ready.
func Start(cmd *exec.Cmd) (*Collector, error) {
	c, err := Run(cmd)
	if err != nil {
		return nil, err
	}
	if err := c.WaitLog(ready); err != nil {
		c.Kill()
		return nil, err
	}
	return c, nil
}

// Run starts a command and does not wait until the collector is ready.
func Run(cmd *exec.Cmd) (*Collector, error) {
	c := &Collector{cmd: cmd, log: newLog(), output: newLog(), ended: make(chan struct{})}
	cmd.Stderr, cmd.Stdout = c.log, c.output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the collector: %w", err)
	}
	go func() {
		c.err = cmd.Wait()
		close(c.ended)
	}()
	return c, nil
}

// PID is the collector's process id.
func (c *Collector) PID() int { return c.cmd.Process.Pid }

// Log returns the collector's standard error, which has its log.
func (c *Collector) Log() string { return c.log.String() }

// Output returns the collector's standard output.
func (c *Collector) Output() string { return c.output.String() }

// WaitLog waits until the collector's log has a text.
func (c *Collector) WaitLog(text string) error {
	deadline := time.After(patience)
	for {
		written := c.log.more()
		if strings.Contains(c.Log(), text) {
			return nil
		}
		select {
		case <-written:
		case <-c.ended:
			if strings.Contains(c.Log(), text) {
				return nil
			}
			return fmt.Errorf("the collector has ended (%w) without %q in its log:\n%s", c.err, text, c.Log())
		case <-deadline:
			return fmt.Errorf("no %q in the collector's log within %s:\n%s", text, patience, c.Log())
		}
	}
}

// Signal sends a signal to the collector.
func (c *Collector) Signal(s syscall.Signal) error { return c.cmd.Process.Signal(s) }

// Stop ends the collector by SIGTERM and waits for its end.
func (c *Collector) Stop() error {
	if err := c.Signal(syscall.SIGTERM); err != nil {
		return errors.Join(err, c.err)
	}
	return c.Wait()
}

// Wait waits until the collector ends. It returns an error if the collector was killed or failed.
func (c *Collector) Wait() error {
	select {
	case <-c.ended:
	case <-time.After(patience):
		c.Kill()
		return fmt.Errorf("the collector did not end within %s:\n%s", patience, c.Log())
	}
	if c.err != nil {
		return fmt.Errorf("the collector ended with %w:\n%s", c.err, c.Log())
	}
	return nil
}

// Kill ends the collector by SIGKILL, if it has not ended.
func (c *Collector) Kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// FreePort returns a TCP port of this host that is free at the moment.
func FreePort() (port int, err error) {
	err = FreePorts(&port)
	return port, err
}

// FreePorts sets the numbers to different TCP ports of this host that are free at the moment.
func FreePorts(ports ...*int) error {
	if len(ports) == 0 {
		return nil
	}
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return fmt.Errorf("find a free port: %w", err)
	}
	*ports[0] = l.Addr().(*net.TCPAddr).Port
	// The port is taken until the others are found, so that they differ.
	return errors.Join(FreePorts(ports[1:]...), l.Close())
}

// log collects the output of a process.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed by the next write
}

func newLog() *log { return &log{written: make(chan struct{})} }

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(l.written)
	l.written = make(chan struct{})
	return l.text.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func (l *log) more() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.written
}
