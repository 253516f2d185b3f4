// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// Outcome is the result of starting a receiver in another process.
type Outcome struct {
	// Error is the text of Start's error, or "".
	Error string
	// Statuses are the component status events, as "status: error".
	Statuses []string
	// States are the ebpf.program.state events, as "program state".
	States []string
	// Left describes the BPF objects that the process still had after the shutdown, or "".
	Left string
}

var try = traffic.Define("receiver.try", func(yaml string) (Outcome, error) {
	r, err := build(yaml)
	if err != nil {
		return Outcome{}, err
	}
	var o Outcome
	if err := r.Start(); err != nil {
		o.Error = err.Error()
	}
	for _, e := range r.Host.Statuses() {
		text := e.Status().String()
		if e.Err() != nil {
			text += ": " + e.Err().Error()
		}
		o.Statuses = append(o.Statuses, text)
	}
	if err := r.Shutdown(); err != nil {
		return o, err
	}
	for _, e := range r.Events.Matching(Named("ebpf.program.state")) {
		o.States = append(o.States, fmt.Sprint(e.Attributes["ebpf.program.name"], " ", e.Attributes["ebpf.program.state"]))
	}
	o.Left, err = heldDescriptors()
	return o, err
})

// heldDescriptors lists the process's descriptors of BPF objects. Unlike Owned, it needs no privileges.
func heldDescriptors() (held string, err error) {
	files, err := filepath.Glob("/proc/self/fd/*")
	for _, file := range files {
		if target, err := os.Readlink(file); err == nil && strings.Contains(target, "bpf") {
			held += target + " "
		}
	}
	return held, err
}

// Try starts a receiver in the agent and shuts it down again. The agent may lack capabilities or mounts.
func Try(a *traffic.Agent, yaml string) Outcome { return try.Call(a, yaml) }

var trySelf = traffic.Define("receiver.self", func(yaml string) (int, error) {
	r, err := build(yaml)
	if err != nil {
		return 0, err
	}
	if err := r.Start(); err != nil {
		return 0, err
	}
	var ns unix.Stat_t
	err = unix.Stat("/proc/self/ns/net", &ns)
	if c, e := net.Dial("tcp4", "127.0.0.1:1"); e == nil {
		err = errors.Join(err, errors.New("port 1 is open"), c.Close())
	}
	err = errors.Join(err, r.Shutdown())
	return len(r.Events.Matching(Named("ebpf.connection.connect"), With("ebpf.network.namespace", int64(ns.Ino)))), err
})

// TrySelf starts a receiver in the agent, connects from the same process to a closed port, and returns the number of events
// about that. The agent runs the test binary.
func TrySelf(a *traffic.Agent, yaml string) int { return trySelf.Call(a, yaml) }

var tryStorm = traffic.Define("receiver.storm", func(yaml string) (reason string, err error) {
	r, err := build(yaml)
	if err != nil {
		return "", err
	}
	if err := r.Start(); err != nil {
		return "", err
	}
	Eventually(func() bool {
		for range 1000 {
			if c, e := net.Dial("tcp4", "127.0.0.1:1"); e == nil {
				err = errors.Join(errors.New("port 1 is open"), c.Close())
				return true
			}
		}
		for _, e := range r.Events.Matching(Named("ebpf.program.state")) {
			if text, ok := e.Attributes["ebpf.program.reason"].(string); ok {
				reason = text
			}
		}
		return reason != ""
	})
	return reason, errors.Join(err, r.Shutdown())
})

// TryStorm starts a receiver in the agent, connects from there to a closed port over and over, and returns the reason for which a
// program has changed its state by itself; "" if none has. The agent runs the test binary.
func TryStorm(a *traffic.Agent, yaml string) (reason string) { return tryStorm.Call(a, yaml) }
