// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

// Problem is a kind of problem that the event store finds in the program's events. `make generate` copies it into the event
// store, which is a module of its own and does not import the receiver.
type Problem struct {
	// Name is the kind in the answers of the event store.
	Name string
	// Meaning is one sentence in Markdown.
	Meaning string
	// Event is the name of the events, or the beginning of it with a *.
	Event string
	// Reason is the one reason that the events have; "" is any.
	Reason string
	// Warnings leaves out events that are below WARN.
	Warnings bool
	// By are the fields that the events of one problem have in common, as in the parameter by of /api/summary.
	By []string
	// Only are fields with the values that the events must have. Noise are fields with values that are no problem.
	Only, Noise map[string][]string
	// Peers is what many addresses are called in the title; "" for peers.
	Peers string
	// Weight is how bad one event is. An OOM kill has 100, a retransmit 5.
	Weight int
	// Least is the number of events in 15 minutes below which they are noise.
	Least int
	// Title describes a problem in one line. {who}, {peer}, {error} and {FIELD} are its values; {FIELD|TEXT} is TEXT if the value is
	// absent; a part in [brackets] is left out if a value in it is absent.
	Title string
}
