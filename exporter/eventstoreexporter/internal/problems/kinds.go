// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package problems finds problems in the events of a store.
package problems

import (
	"net"
	"slices"
	"strings"

	"go.opentelemetry.io/collector/pdata/plog"
)

// kind is a kind of problem: its events, and the fields by which they are grouped into problems.
type kind struct {
	name string
	// doc is for docs/event-store.md.
	doc string
	// event is the name of its events, or the beginning of it with a *.
	event string
	// reason is the one reason that its events have; "" is any.
	reason string
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
	// peers is what many addresses are called in the title; "" for peers.
	peers string
	// isNoise is whether problems with these fields are no trouble, however many; nil means that none is.
	isNoise func(v values) bool
	// title describes a problem in words.
	title func(v values) string
}

// values are the fields of a problem by their names. Those that are absent are "".
type values map[string]string

const warn = plog.SeverityNumberWarn

const (
	signal   = "attr.ebpf.process.exit.signal"
	killed   = "SIGKILL"
	noSocket = "no_socket"
)

// requests are the signals by which processes are asked to end, and the one for those whose output nobody reads any more.
var requests = []string{"SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE"}

// absent are the errors that say what there is: programs look for files that need not be there, and try to remove directories that need
// not be empty.
var absent = []string{"enoent", "enotdir", "enotempty", "eexist", "eisdir"}

// kinds are all kinds of problems. Other events that are WARN or worse have the kind other.
var kinds = []kind{
	{
		name: "oom_kill", doc: "The kernel killed a process because memory ran out.", event: "ebpf.oom.kill",
		by: []string{"command", "unit", "container"}, weight: 100, least: 1,
		title: func(v values) string { return v.who() + " was killed because memory ran out" },
	},
	{
		name: "crash", doc: "A process was ended by a signal such as SIGSEGV or SIGABRT.", event: "ebpf.process.exit", severity: warn,
		by: []string{"command", "unit", "container", signal}, weight: 60, least: 1,
		isNoise: func(v values) bool { return v[signal] == killed || slices.Contains(requests, v[signal]) },
		title:   func(v values) string { return v.who() + " crashed: " + or(v[signal], "no signal given") },
	},
	{
		name: "killed", doc: "A process was killed by SIGKILL, not for lack of memory.", event: "ebpf.process.exit", severity: warn,
		by: []string{"command", "unit", "container", signal}, weight: 15, least: 1,
		isNoise: func(v values) bool { return v[signal] != killed },
		title:   func(v values) string { return v.who() + " was killed (" + killed + ")" },
	},
	{
		name: "program_failed", doc: "A program of the ebpf receiver does not run, or not all the time.", event: "ebpf.program.state", severity: warn,
		by:     []string{"attr.ebpf.program.name", "attr.ebpf.program.state", "attr.ebpf.program.error.message", "attr.ebpf.program.reason"},
		weight: 80, least: 1,
		title: func(v values) string {
			text := "program " + v["attr.ebpf.program.name"] + " " + or(programStates[v["attr.ebpf.program.state"]], "failed")
			if why := or(v["attr.ebpf.program.error.message"], v["attr.ebpf.program.reason"]); why != "" {
				text += ": " + why
			}
			return text
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
		isNoise: func(v values) bool { return v["reason"] == noSocket },
		title: func(v values) string {
			text := "packets of " + v.who() + " are dropped: " + or(v["reason"], "no reason given")
			if v["attr.ebpf.drop.location"] != "" {
				text += " in " + v["attr.ebpf.drop.location"]
			}
			return text
		},
	},
	{
		name: "closed_port", doc: "Packets came to a port that nobody listens on.", event: "ebpf.packet.drop", severity: warn, reason: noSocket,
		by: []string{"address", "port", "attr.network.transport"}, weight: 5, least: 10, peers: "ports",
		title: func(v values) string {
			return "packets come to " + v.peer() + " by " + or(v["attr.network.transport"], "an unknown protocol") + ", but nobody listens"
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
		name: "file_failed", doc: "A process could not delete or open a file.", event: "ebpf.file.*", severity: warn,
		by: []string{"command", "unit", "container", "type", "error"}, weight: 6, least: 1,
		isNoise: func(v values) bool { return slices.Contains(absent, v["error"]) },
		title: func(v values) string {
			return v.who() + " cannot " + or(strings.TrimPrefix(v["type"], "ebpf.file."), "use") + " files: " + or(v["error"], "no error given")
		},
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

// programStates says in words what a program does that does not run as it should.
var programStates = map[string]string{
	"events_off": "emits no events", "sampled": "runs for a tenth of the time", "detached": "does not run", "loading": "waits",
}

// Kind describes a kind of problem.
type Kind struct{ Name, Doc, Event string }

// Kinds returns all kinds of problems, in the order of the table in docs/event-store.md.
func Kinds() []Kind {
	list := make([]Kind, 0, len(kinds)+1)
	for i := range kinds {
		list = append(list, Kind{kinds[i].name, kinds[i].doc, kinds[i].event})
	}
	return append(list, Kind{"other", "Any other event that is WARN or worse, by its name and who it is about.", "any"})
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
		text += " (" + strings.ReplaceAll(cause, "_", " ") + ")"
	}
	return text
}

func or(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
