// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// table has the results of all measurements.
type table []row

type row struct{ what, goal, measured, verdict string }

// note adds a figure without a goal.
func (t *table) note(what, format string, args ...any) {
	*t = append(*t, row{what: what, measured: fmt.Sprintf(format, args...)})
}

// judge adds a figure with its goal.
func (t *table) judge(met bool, what, goal, format string, args ...any) {
	verdict := "ok"
	if !met {
		verdict = "MISSED"
	}
	*t = append(*t, row{what, goal, fmt.Sprintf(format, args...), verdict})
}

func (t *table) print(w io.Writer) {
	columns := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	_, _ = fmt.Fprintln(columns, "what\tgoal\tmeasured\t")
	for _, r := range *t {
		_, _ = fmt.Fprintf(columns, "%s\t%s\t%s\t%s\n", r.what, r.goal, r.measured, r.verdict)
	}
	_ = columns.Flush()
}
