// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package script is what the host and the guest say to each other: the host puts a plan into the guest's file system, the
// guest tells on its console what came of it, between whatever the kernel says there.
package script

import (
	"fmt"
	"io"
	"strings"
)

// Where the guest finds what the host has packed.
const (
	PlanFile    = "/plan.json"
	ModulesFile = "/modules/order"
)

// Plan is what a guest does.
type Plan struct {
	Commands []Command
	// Environment is added to the environment of all commands.
	Environment []string
}

// Command is one test binary.
type Command struct {
	// Name is the import path of the package that it tests, Directory where that package's files are.
	Name, Directory string
	// Arguments are the binary's path and what it is given.
	Arguments []string
}

// Kind is what a line of the guest is about.
type Kind string

// The kinds of lines, in the order in which they come.
const (
	Booted Kind = "booted" // the kernel's release
	Begin  Kind = "begin"  // a command's name
	Output Kind = "output" // a line that it wrote
	End    Kind = "end"    // how it ended; empty: well
	Failed Kind = "failed" // what keeps the guest from doing its work
	Done   Kind = "done"   // nothing more is to come
)

// Line is a line of the guest.
type Line struct {
	Kind Kind
	Text string
}

const mark = "@@ "

// Write writes a line. It is one write, so that the kernel says nothing in the middle of it.
func Write(w io.Writer, kind Kind, text string) error {
	_, err := fmt.Fprintf(w, "%s%s %s\n", mark, kind, text)
	return err
}

// Parse returns a line of the guest's; false for one that the kernel or the firmware has written.
func Parse(raw string) (Line, bool) {
	// Firmware leaves escape sequences at the start of a line, and the terminal adds carriage returns to its end.
	_, raw, found := strings.Cut(strings.TrimRight(raw, "\r\n"), mark)
	if !found {
		return Line{}, false
	}
	kind, text, _ := strings.Cut(raw, " ")
	return Line{Kind: Kind(kind), Text: text}, true
}
