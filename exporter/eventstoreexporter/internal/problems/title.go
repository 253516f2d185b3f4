// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"net"
	"strings"
)

// values are the fields of a problem by their names. Those that are absent are "".
type values map[string]string

// expand returns a title with the values in place of their names. {name} is a field, or one of the composed values of value. {name|text} is the text if
// the value is absent. A part in [brackets] is left out if a value in it is absent.
func (v values) expand(title string) string {
	var b strings.Builder
	for {
		i := strings.IndexAny(title, "{[")
		if i < 0 {
			return b.String() + title
		}
		b.WriteString(title[:i])
		if title[i] == '[' {
			part, rest, _ := strings.Cut(title[i+1:], "]")
			if v.hasAll(part) {
				b.WriteString(v.expand(part))
			}
			title = rest
			continue
		}
		name, rest, _ := strings.Cut(title[i+1:], "}")
		name, text, _ := strings.Cut(name, "|")
		b.WriteString(or(v.value(name), text))
		title = rest
	}
}

// hasAll reports whether a part of a title has all values that it names.
func (v values) hasAll(part string) bool {
	for _, piece := range strings.Split(part, "{")[1:] {
		if name, _, _ := strings.Cut(piece, "}"); v.value(name) == "" {
			return false
		}
	}
	return true
}

func (v values) value(name string) string {
	switch name {
	case "who":
		return v.who()
	case "peer":
		return v.peer()
	case "error":
		return v.error()
	case "action":
		_, action, _ := strings.Cut(strings.TrimPrefix(v["type"], "ebpf."), ".")
		return or(action, "use")
	case "state":
		return or(programStates[v["attr.ebpf.program.state"]], "failed")
	case "why":
		return or(v["attr.ebpf.program.error.message"], v["attr.ebpf.program.reason"])
	}
	return v[name]
}

// programStates says in words what a program does that does not run as it should.
var programStates = map[string]string{
	"events_off": "emits no events", "sampled": "runs for a tenth of the time", "detached": "does not run", "loading": "waits",
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

// error returns the error with its cause, if that is known.
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
