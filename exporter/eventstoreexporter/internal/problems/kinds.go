// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package problems finds problems in the events of a store.
package problems

import (
	"net"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog"
)

// kind is a kind of problem: its events, and the fields by which they are grouped into problems.
type kind struct {
	name string
	// doc is for docs/event-store.md.
	doc string
	// event is the name of its events.
	event string
	// severity is the lowest one.
	severity plog.SeverityNumber
	// by are the fields that tell problems of this kind apart, as in the parameter by.
	by []string
	// sum is an attribute that says how many each event stands for.
	sum string
	// weight is the severity of one event.
	weight float64
	// least is how many there must be in a window of 15 minutes: fewer are noise.
	least int64
	// title describes a problem in words.
	title func(v values) string
}

// values are the fields of a problem by their names. Those that are absent are "".
type values map[string]string

const warn = plog.SeverityNumberWarn

// kinds are all kinds of problems. Other events that are WARN or worse have the kind other.
var kinds = []kind{
	{
		name: "oom_kill", doc: "The kernel killed a process because memory ran out.", event: "ebpf.oom.kill",
		by: []string{"command", "unit", "container"}, weight: 100, least: 1,
		title: func(v values) string { return v.who() + " was killed because memory ran out" },
	},
	{
		name: "crash", doc: "A process ended by a fatal signal or with an error.", event: "ebpf.process.exit", severity: warn,
		by:     []string{"command", "unit", "container", "attr.ebpf.process.exit.class", "attr.ebpf.process.exit.signal", "attr.process.exit.code"},
		weight: 60, least: 1,
		title: func(v values) string {
			switch {
			case v["attr.ebpf.process.exit.signal"] != "":
				return v.who() + " was ended by signal " + v["attr.ebpf.process.exit.signal"]
			default:
				return v.who() + " exited with code " + v["attr.process.exit.code"]
			}
		},
	},
	{
		name: "program_failed", doc: "A program of the ebpf receiver does not run.", event: "ebpf.program.state", severity: warn,
		by: []string{"attr.ebpf.program.name", "attr.ebpf.program.error.message"}, weight: 80, least: 1,
		title: func(v values) string {
			return "program " + v["attr.ebpf.program.name"] + " failed: " + v["attr.ebpf.program.error.message"]
		},
	},
	{
		name: "connection_failed", doc: "A process could not connect to a server.", event: "ebpf.connection.connect", severity: warn,
		by: []string{"command", "unit", "container", "address", "port", "error", "attr.ebpf.connection.cause"}, weight: 40, least: 1,
		title: func(v values) string { return v.who() + " cannot connect to " + v.peer() + ": " + v.error() },
	},
	{
		name: "lookup_failed", doc: "A process could not look up a name.", event: "ebpf.dns.lookup", severity: warn,
		by: []string{"command", "unit", "container", "address", "port", "error"}, weight: 35, least: 1,
		title: func(v values) string { return v.who() + " cannot look up names at " + v.peer() + ": " + v.error() },
	},
	{
		name: "connection_aborted", doc: "An established connection ended with an error.", event: "ebpf.connection.close", severity: warn,
		by: []string{"command", "unit", "container", "address", "port", "error", "attr.ebpf.connection.cause"}, weight: 30, least: 1,
		title: func(v values) string {
			return "connections of " + v.who() + " with " + v.peer() + " break: " + v.error()
		},
	},
	{
		name: "events_lost", doc: "The receiver lost events: what is said here is incomplete.", event: "ebpf.event.lost", severity: warn,
		by: []string{"attr.ebpf.program.name", "attr.ebpf.loss.cause"}, sum: "attr.ebpf.loss.count", weight: 20, least: 1,
		title: func(v values) string {
			if program := v["attr.ebpf.program.name"]; program != "" {
				return "events of program " + program + " are lost: " + v["attr.ebpf.loss.cause"]
			}
			return "events are lost: " + v["attr.ebpf.loss.cause"]
		},
	},
	{
		name: "packet_drop", doc: "The kernel dropped packets.", event: "ebpf.packet.drop", severity: warn,
		by: []string{"reason", "command", "unit", "container", "attr.ebpf.drop.location"}, weight: 15, least: 3,
		title: func(v values) string {
			text := "packets of " + v.who() + " are dropped: " + or(v["reason"], "no reason given")
			if v["attr.ebpf.drop.location"] != "" {
				text += " in " + v["attr.ebpf.drop.location"]
			}
			return text
		},
	},
	{
		name: "descriptor_leak", doc: "A process opens descriptors and does not close them.", event: "ebpf.file_descriptor.leak", severity: warn,
		by: []string{"command", "pid", "unit", "container", "attr.ebpf.file_descriptor.kind"}, weight: 40, least: 1,
		title: func(v values) string {
			return v.who() + " leaks descriptors of kind " + v["attr.ebpf.file_descriptor.kind"]
		},
	},
	{
		name: "tcp_reset", doc: "TCP connections were reset.", event: "ebpf.tcp.reset", severity: warn,
		by: []string{"command", "unit", "container", "address", "port", "reason"}, weight: 10, least: 3,
		title: func(v values) string {
			text := "connections of " + v.who() + " with " + v.peer() + " are reset"
			if v["reason"] != "" {
				text += ": " + v["reason"]
			}
			return text
		},
	},
	{
		name: "tcp_retransmit", doc: "TCP segments had to be sent again.", event: "ebpf.tcp.retransmit", severity: warn,
		by: []string{"command", "unit", "container", "address", "port"}, weight: 5, least: 5,
		title: func(v values) string { return v.who() + " sends again to " + v.peer() },
	},
	{
		name: "slow_disk", doc: "Operations of a disk took longer than the threshold.", event: "ebpf.disk.slow_operation",
		by: []string{"attr.system.device", "attr.ebpf.disk.operation.type"}, weight: 10, least: 3,
		title: func(v values) string {
			return "disk " + v["attr.system.device"] + " is slow: " + v["attr.ebpf.disk.operation.type"]
		},
	},
	{
		name: "cpu_stall", doc: "Tasks waited for a CPU longer than the threshold.", event: "ebpf.runqueue.stall",
		by: []string{"command", "unit", "container"}, weight: 8, least: 3,
		title: func(v values) string { return v.who() + " waits for a CPU" },
	},
	{
		name: "slow_syscall", doc: "System calls took longer than the threshold.", event: "ebpf.syscall.slow",
		by: []string{"command", "unit", "container", "attr.ebpf.syscall.name"}, weight: 4, least: 5,
		title: func(v values) string {
			return "system call " + v["attr.ebpf.syscall.name"] + " of " + v.who() + " is slow"
		},
	},
}

// Kind describes a kind of problem.
type Kind struct{ Name, Doc, Event string }

// Kinds returns all kinds of problems, in the order of the table in docs/event-store.md.
func Kinds() []Kind {
	list := make([]Kind, 0, len(kinds)+1)
	for i := range kinds {
		list = append(list, Kind{kinds[i].name, kinds[i].doc, kinds[i].event})
	}
	return append(list, Kind{"other", "Any other event that is WARN or worse, by its name.", "any"})
}

func (v values) who() string {
	who := or(v["command"], "an unknown process")
	switch {
	case v["container"] != "":
		return who + " in container " + v["container"][:min(12, len(v["container"]))]
	case v["unit"] != "" && strings.TrimSuffix(v["unit"], ".service") != who:
		return who + " (" + v["unit"] + ")"
	}
	return who
}

func (v values) peer() string {
	switch {
	case v["address"] == "":
		return "an unknown peer"
	case v["port"] == "":
		return v["address"]
	}
	return net.JoinHostPort(v["address"], v["port"])
}

func (v values) error() string {
	text := or(v["error"], "no error given")
	if cause := v["attr.ebpf.connection.cause"]; cause != "" {
		text += " (" + cause + ")"
	}
	return text
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
