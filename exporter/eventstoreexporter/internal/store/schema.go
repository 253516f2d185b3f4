// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"fmt"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// version is that of the tables below. A file of another version is set aside.
const version = 3

// A column of the table records. The fields of package event come first, in their order.
const (
	columnType = int(event.Fields) + iota
	columnSeverity
	columnShape
	columnOrigin
	columnTime

	columns // how many hold integers
)

// Names of the columns. text says that a column has the number of a string.
var columnNames = [columns]struct {
	name string
	text bool
}{
	event.PID:           {"pid", false},
	event.Executable:    {"executable", true},
	event.Unit:          {"unit", true},
	event.Container:     {"container", true},
	event.ClientAddress: {"client_address", true},
	event.ClientPort:    {"client_port", false},
	event.ServerAddress: {"server_address", true},
	event.ServerPort:    {"server_port", false},
	event.Error:         {"error", true},
	event.Reason:        {"reason", true},
	event.Cookie:        {"cookie", false},
	columnType:          {"type", true},
	columnSeverity:      {"severity", false},
	columnShape:         {"shape", false},
	columnOrigin:        {"origin", false},
	columnTime:          {"time", false},
}

// Strings, resources and lists of attributes are stored once per file. A record has their numbers, the fields for searches, its body,
// and the values of its other attributes in the order of its shape.
//
// The only index of the table records is that of warnings, which are few: indexes of all columns would make a record half as long
// again. Instead, the table rare has the records of rare values, and the table postings the blocks of blockSize records in which a
// frequent value occurs. The table lists has the times of the blocks, and for each block a filter for the values of attributes that are
// no columns. The table tallies has the counts for queries that are repeated. All of them are written when the file is full.
func schema() string {
	var table, view, joins strings.Builder
	for i, column := range columnNames {
		fmt.Fprintf(&table, "\t%s INTEGER,\n", column.name)
		switch {
		case i == columnTime:
		case column.text:
			fmt.Fprintf(&view, ",\n\t%s_text.text AS %s", column.name, column.name)
			fmt.Fprintf(&joins, "\n\tLEFT JOIN strings %s_text ON %s_text.id = records.%s", column.name, column.name, column.name)
		case i == columnShape || i == columnOrigin:
		default:
			fmt.Fprintf(&view, ",\n\trecords.%s", column.name)
		}
	}
	return `
CREATE TABLE strings (id INTEGER PRIMARY KEY, text TEXT NOT NULL);
CREATE TABLE shapes (id INTEGER PRIMARY KEY, attributes BLOB NOT NULL);
CREATE TABLE origins (id INTEGER PRIMARY KEY, otlp BLOB NOT NULL, resource TEXT NOT NULL);
CREATE TABLE records (
	sequence INTEGER PRIMARY KEY,
` + table.String() + `	body TEXT,
	rest BLOB
);
CREATE INDEX warnings ON records (type, time) WHERE severity >= 13;
CREATE TABLE postings (value INTEGER PRIMARY KEY, blocks BLOB NOT NULL);
CREATE TABLE rare (bucket INTEGER PRIMARY KEY, records BLOB NOT NULL);
CREATE TABLE tallies (question INTEGER PRIMARY KEY, groups BLOB NOT NULL);
CREATE TABLE lists (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE slice (sealed INTEGER NOT NULL, first INTEGER NOT NULL, records INTEGER NOT NULL, earliest INTEGER, latest INTEGER);
CREATE VIEW events AS SELECT
	records.sequence,
	` + readableTime + ` AS time,
	records.body` + view.String() + `,
	origins.resource
FROM records` + joins.String() + `
	LEFT JOIN origins ON origins.id = records.origin;
`
}

// Rows of the table lists.
const (
	listOfTimes = iota + 1 // of the blocks
	listOfFilters
	listOfRare // the head of the table rare
)

// readableTime is the time of a record in RFC 3339.
const readableTime = `strftime('%Y-%m-%dT%H:%M:%S', records.time / 1000000000, 'unixepoch') || printf('.%09dZ', records.time % 1000000000)`

// insertion returns the statement that inserts this many records.
func insertion(records int) string {
	row := "(?" + strings.Repeat(",?", columns+2) + ")"
	return "INSERT INTO records VALUES " + row + strings.Repeat(","+row, records-1)
}

// selection is the columns of a record as read returns them.
var selection = func() string {
	names := make([]string, 0, columns+3)
	names = append(names, "sequence")
	for _, column := range columnNames {
		names = append(names, column.name)
	}
	return strings.Join(append(names, "body", "rest"), ", ")
}()
