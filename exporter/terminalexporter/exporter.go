// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"context"
	"fmt"
	"io"

	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/plog"
)

// terminal prints log records.
type terminal struct {
	out  io.Writer
	form form
}

// push prints all records by one write, so that other output does not come in between. A write that fails is not repeated: a part
// of it may be there already.
func (t *terminal) push(_ context.Context, logs plog.Logs) error {
	var text []byte
	for _, rl := range logs.ResourceLogs().All() {
		origin := originOf(rl.Resource())
		for _, sl := range rl.ScopeLogs().All() {
			for _, lr := range sl.LogRecords().All() {
				text = t.form.appendLine(text, lr, origin)
			}
		}
	}
	if _, err := t.out.Write(text); err != nil {
		return consumererror.NewPermanent(fmt.Errorf("write to standard output: %w", err))
	}
	return nil
}
