// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"zombiezen.com/go/sqlite"
)

// record is a row of the table records.
type record struct {
	sequence int64
	values   [columns]int64
	// has has a bit for each column whose value is not NULL.
	has  uint32
	body string
	// hasBody distinguishes an empty body from none.
	hasBody bool
	rest    []byte
}

func (r *record) set(column int, value int64) {
	r.values[column] = value
	r.has |= 1 << column
}

func (r *record) isSet(column int) bool { return r.has&(1<<column) != 0 }

// bind sets the parameters for inserting a record. They begin after the given number. It returns the number of the last one.
func (r *record) bind(stmt *sqlite.Stmt, parameter int) int {
	parameter++
	stmt.BindInt64(parameter, r.sequence)
	for column, value := range r.values {
		parameter++
		if r.isSet(column) {
			stmt.BindInt64(parameter, value)
		}
	}
	parameter++
	if r.hasBody {
		stmt.BindText(parameter, r.body)
	}
	parameter++
	if len(r.rest) > 0 {
		stmt.BindBytes(parameter, r.rest)
	}
	return parameter
}

// read reads the current record of a selecting statement. It reuses the buffer of rest.
func (r *record) read(stmt *sqlite.Stmt) {
	r.sequence = stmt.ColumnInt64(0)
	r.has = 0
	for column := range r.values {
		r.readColumn(stmt, column)
	}
	r.hasBody = !stmt.ColumnIsNull(columns + 1)
	r.body = stmt.ColumnText(columns + 1)
	r.readRest(stmt)
}

func (r *record) readColumn(stmt *sqlite.Stmt, column int) {
	if !stmt.ColumnIsNull(column + 1) {
		r.set(column, stmt.ColumnInt64(column+1))
	}
}

func (r *record) readRest(stmt *sqlite.Stmt) {
	length := stmt.ColumnLen(columns + 2)
	if cap(r.rest) < length {
		r.rest = make([]byte, length)
	}
	r.rest = r.rest[:length]
	stmt.ColumnBytes(columns+2, r.rest)
}
