// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
)

// exportPattern is the name of a file for a download. The file is removed as soon as it is open, or by the next start if the process
// was killed before.
const exportPattern = "export-*.db"

// Export writes events to an SQLite database in a directory, and returns it open for reading. The file has no name any more, so it
// disappears when it is closed. It has the view events, as the files of the store do, and the attributes.
func Export(ctx context.Context, directory string, events []event.Event) (*os.File, error) {
	file, err := os.CreateTemp(directory, exportPattern)
	if err != nil {
		return nil, err
	}
	path := file.Name()
	err = writeExport(ctx, path, events)
	_ = os.Remove(path + "-journal") // there is one only after an error
	err = errors.Join(err, os.Remove(path))
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func writeExport(ctx context.Context, path string, events []event.Event) error {
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite)
	if err != nil {
		return err
	}
	conn.SetInterrupt(ctx.Done())
	err = insertExport(conn, events)
	return errors.Join(err, conn.Close())
}

func insertExport(conn *sqlite.Conn, events []event.Event) (err error) {
	table, insert := exportTable()
	// The file disappears with the process, so it need not be synced to the disk.
	for _, pragma := range []string{"journal_mode=OFF", "synchronous=OFF"} {
		if err := sqlitex.ExecuteTransient(conn, "PRAGMA "+pragma, nil); err != nil {
			return err
		}
	}
	if err := sqlitex.ExecuteScript(conn, table, nil); err != nil {
		return err
	}
	defer sqlitex.Save(conn)(&err)
	row := make([]any, 0, columns+4)
	for i := range events {
		row = exportRow(row[:0], &events[i])
		if err := run(conn, insert, row...); err != nil {
			return err
		}
	}
	return nil
}

// exportColumns are the columns of the view events between body and resource.
func exportColumns() []int {
	list := make([]int, 0, columns)
	for column := range columnNames {
		if column != columnTime && column != columnShape && column != columnOrigin {
			list = append(list, column)
		}
	}
	return list
}

// exportTable returns the tables of the database and the statement that inserts an event.
func exportTable() (schema, insert string) {
	var table, view strings.Builder
	list := exportColumns()
	for _, column := range list {
		kind := "INTEGER"
		if columnNames[column].text {
			kind = "TEXT"
		}
		fmt.Fprintf(&table, "\t%s %s,\n", columnNames[column].name, kind)
		fmt.Fprintf(&view, ",\n\t%s", columnNames[column].name)
	}
	return `
CREATE TABLE records (
	sequence INTEGER PRIMARY KEY,
	time INTEGER NOT NULL,
	body TEXT,
` + table.String() + `	resource TEXT NOT NULL,
	attributes TEXT NOT NULL
);
CREATE VIEW events AS SELECT
	sequence,
	` + readableTime + ` AS time,
	body` + view.String() + `,
	resource,
	attributes
FROM records;
`, "INSERT INTO records VALUES (?,?,?" + strings.Repeat(",?", len(list)+2) + ")"
}

func exportRow(row []any, e *event.Event) []any {
	lr := e.Record
	var body any
	if text := lr.Body().AsString(); text != "" {
		body = text
	}
	row = append(row, e.Sequence, int64(lr.Timestamp()), body)
	values := e.Values()
	for _, column := range exportColumns() {
		var value any
		switch {
		case column < int(event.Fields):
			value = values[column]
		case column == columnType && lr.EventName() != "":
			value = lr.EventName()
		case column == columnSeverity && lr.SeverityNumber() != 0:
			value = int64(lr.SeverityNumber())
		}
		row = append(row, value)
	}
	return append(row, string(event.AppendMap(nil, e.Origin.Resource.Attributes())), string(event.AppendMap(nil, lr.Attributes())))
}

// removeExports removes the files of a process that was killed.
func removeExports(directory string) {
	left, _ := filepath.Glob(filepath.Join(directory, exportPattern)) // the pattern is valid
	for _, path := range left {
		_ = os.Remove(path) // the next start tries again
	}
}
