// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package script is the protocol between host and guest. The host puts a plan into the guest's file system. The guest writes
// its results to the console, between the kernel's own messages.
package script

import (
	"fmt"
	"io"
	"strings"
)

// Paths of the packed files in the guest.
const (
	PlanFile    = "/plan.json"
	ModulesFile = "/modules/order"
	// Init is the first process of the kernel. Root is the folder of a whole system, if there is one: then its systemd comes first, and
	// starts Init once more.
	Init = "/init"
	Root = "/system"
)

// Plan is what a guest has to do.
type Plan struct {
	Commands []Command
	// Environment is added to the environment of all commands.
	Environment []string
}

// Command is one test binary.
type Command struct {
	// Name is the import path of the package under test. Directory has that package's files.
	Name, Directory string
	// Arguments are the path of the binary and its arguments.
	Arguments []string
}

// Kind is the kind of a line that the guest writes.
type Kind string

// The kinds of lines, in the order in which they are written.
const (
	Booted Kind = "booted" // the kernel's release
	Begin  Kind = "begin"  // a command's name
	Output Kind = "output" // a line that it wrote
	End    Kind = "end"    // how it ended; empty means success
	Failed Kind = "failed" // why the guest gives up
	Done   Kind = "done"   // the last line
)

// Line is a line of the guest.
type Line struct {
	Kind Kind
	Text string
}

const mark = "@@ "

// Write writes a line. It is one write call, so that no kernel message can get in between.
func Write(w io.Writer, kind Kind, text string) error {
	_, err := fmt.Fprintf(w, "%s%s %s\n", mark, kind, text)
	return err
}

// Parse returns a line that the guest wrote; false for output of the kernel or the firmware.
func Parse(raw string) (Line, bool) {
	// Firmware writes escape sequences at the start of a line, and the terminal appends a carriage return.
	_, raw, found := strings.Cut(strings.TrimRight(raw, "\r\n"), mark)
	if !found {
		return Line{}, false
	}
	kind, text, _ := strings.Cut(raw, " ")
	return Line{Kind: Kind(kind), Text: text}, true
}
