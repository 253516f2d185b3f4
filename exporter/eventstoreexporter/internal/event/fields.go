// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package event

import (
	"path"
	"strings"

	"go.opentelemetry.io/collector/pdata/pcommon"
)

// Field is an indexed field of events.
type Field int

// The fields. Each is a column of the store; a log record that has no such attribute has none.
const (
	PID Field = iota
	Executable
	Unit
	Container
	ClientAddress
	ClientPort
	ServerAddress
	ServerPort
	Error
	Reason
	Cookie

	Fields // how many there are
)

// Attribute says which field an attribute of a log record is, and of which type it must be.
type Attribute struct {
	Field Field
	Type  pcommon.ValueType
}

// Attributes are the attributes of log records that are fields as they stand. Packets have a source and a destination
// where connections have a client and a server.
var Attributes = map[string]Attribute{
	"process.pid":             {PID, pcommon.ValueTypeInt},
	"process.executable.name": {Executable, pcommon.ValueTypeStr},
	"client.address":          {ClientAddress, pcommon.ValueTypeStr},
	"source.address":          {ClientAddress, pcommon.ValueTypeStr},
	"client.port":             {ClientPort, pcommon.ValueTypeInt},
	"source.port":             {ClientPort, pcommon.ValueTypeInt},
	"server.address":          {ServerAddress, pcommon.ValueTypeStr},
	"destination.address":     {ServerAddress, pcommon.ValueTypeStr},
	"server.port":             {ServerPort, pcommon.ValueTypeInt},
	"destination.port":        {ServerPort, pcommon.ValueTypeInt},
	"error.type":              {Error, pcommon.ValueTypeStr},
	"ebpf.drop.reason":        {Reason, pcommon.ValueTypeStr},
	"ebpf.tcp.reset.reason":   {Reason, pcommon.ValueTypeStr},
	"ebpf.socket.cookie":      {Cookie, pcommon.ValueTypeInt},
}

// The attributes that a container and a unit are read from, of a log record or of its resource.
const (
	ContainerID = "container.id"
	Cgroup      = "process.linux.cgroup"
)

// UnitOf returns the systemd unit of a cgroup in the form of /proc/PID/cgroup: the last part of its path that is one, or "".
func UnitOf(cgroup string) string {
	for dir := strings.TrimPrefix(cgroup, "0::"); dir != "/" && dir != "." && dir != ""; dir = path.Dir(dir) {
		switch base := path.Base(dir); path.Ext(base) {
		case ".service", ".scope", ".socket", ".mount", ".swap":
			return base
		}
	}
	return ""
}

// Values are the fields of one event: nil, an int64 or a string.
type Values [Fields]any

// Values returns the fields of the event.
func (e *Event) Values() Values {
	var values Values
	cgroup := ""
	origin := e.Origin.Resource.Attributes()
	if v, ok := origin.Get(ContainerID); ok && v.Type() == pcommon.ValueTypeStr {
		values[Container] = v.Str()
	}
	if v, ok := origin.Get(Cgroup); ok {
		cgroup = v.Str()
	}
	for key, v := range e.Record.Attributes().All() {
		switch attribute, ok := Attributes[key]; {
		case ok && attribute.Type == v.Type() && values[attribute.Field] == nil:
			if attribute.Type == pcommon.ValueTypeInt {
				values[attribute.Field] = v.Int()
			} else {
				values[attribute.Field] = v.Str()
			}
		case key == ContainerID && v.Type() == pcommon.ValueTypeStr:
			values[Container] = v.Str()
		case key == Cgroup:
			cgroup = v.Str()
		}
	}
	if unit := UnitOf(cgroup); unit != "" {
		values[Unit] = unit
	}
	return values
}
