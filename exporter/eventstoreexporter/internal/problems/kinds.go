// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package problems finds problems in the events of a store.
package problems

import (
	"slices"

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
	// by are the fields that the events of one problem have in common, as in the parameter by.
	by []string
	// only are fields with the values that its events must have, noise those with values that are no problem.
	only, noise map[string][]string
	// peers is what many addresses are called in the title; "" for peers.
	peers string
	// sum is an attribute with the number of occurrences that an event stands for.
	sum string
	// weight is the severity of one event.
	weight float64
	// least is how many there must be in a window of 15 minutes: fewer are noise.
	least int64
	// title describes a problem in words. values.expand says what the braces and brackets in it mean.
	title string
}

const warn = plog.SeverityNumberWarn

// kinds are all kinds of problems. Other events that are WARN or worse have the kind other.
var kinds = slices.Concat(kindsOfPrograms, []kind{
	{
		name: "program_failed", doc: "A program of the ebpf receiver does not run, or not all the time.", event: "ebpf.program.state", severity: warn,
		by:     []string{"attr.ebpf.program.name", "attr.ebpf.program.state", "attr.ebpf.program.error.message", "attr.ebpf.program.reason"},
		weight: 80, least: 1,
		title: "program {attr.ebpf.program.name} {state}[: {why}]",
	},
	{
		name: "events_lost", doc: "The receiver lost events, so that other answers are incomplete.", event: "ebpf.event.lost", severity: warn,
		by: []string{"attr.ebpf.program.name", "attr.ebpf.loss.cause"}, sum: "attr.ebpf.loss.count", weight: 20, least: 1,
		title: "events[ of program {attr.ebpf.program.name}] are lost: {attr.ebpf.loss.cause}",
	},
})

// isNoise reports whether a problem with these fields is none, however many events there are.
func (k *kind) isNoise(v values) bool {
	for field, wanted := range k.only {
		if !slices.Contains(wanted, v[field]) {
			return true
		}
	}
	for field, unwanted := range k.noise {
		if slices.Contains(unwanted, v[field]) {
			return true
		}
	}
	return false
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
