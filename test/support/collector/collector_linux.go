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
	// ready is the end of a start, in the collector's log.
	ready = "Everything is ready"
	// patience is how long a start or a stop may take.
	patience = 30 * time.Second
)

// Collector is a running collector.
type Collector struct {
	cmd    *exec.Cmd
	log    *log
	output *log
	ended  chan struct{}
	err    error // of the process, once it has ended
}

// Command returns the command that runs the collector with configurations, the later ones over the earlier ones. Each
// is the path of a file or, with "yaml:" before it, the configuration itself.
func Command(binary string, configs ...string) *exec.Cmd {
	var args []string
	for _, c := range configs {
		args = append(args, "--config", c)
	}
	cmd := exec.Command(binary, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{}
	return cmd
}

// Start runs a command and returns when the collector is ready.
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

// Run runs a command and returns at once.
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

// Log returns what the collector has written to standard error, where its own log goes.
func (c *Collector) Log() string { return c.log.String() }

// Output returns what the collector has written to standard output.
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

// Wait waits for the end of the collector, and returns an error if that was none in order.
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

// Kill ends the collector whatever it does. It does nothing to one that has ended.
func (c *Collector) Kill() {
	_ = c.cmd.Process.Kill()
	<-c.ended
}

// FreePort returns a TCP port of this host where nobody listens just now.
func FreePort() (int, error) {
	l, err := net.Listen("tcp", "localhost:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// log holds what a process writes.
type log struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{} // closed with the next write
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
