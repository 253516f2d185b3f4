// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package terminalexporter

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/consumer/consumererror"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"
)

// at is the time of the records, and clock how it is shown.
var at = time.Date(2026, 1, 2, 3, 4, 5, 678_900_000, time.Local)

const clock = "03:04:05.678 "

func record(body string, severity plog.SeverityNumber) plog.LogRecord {
	lr := plog.NewLogRecord()
	lr.SetTimestamp(pcommon.NewTimestampFromTime(at))
	lr.SetSeverityNumber(severity)
	if body != "" {
		lr.Body().SetStr(body)
	}
	lr.SetEventName("ebpf.connection.connect")
	return lr
}

func TestLine(t *testing.T) {
	const refused = "curl[1] → 127.0.0.1:1 tcp refused"
	for name, tt := range map[string]struct {
		form     form
		body     string
		severity plog.SeverityNumber
		origin   string
		want     string
	}{
		"plain":            {body: refused, severity: plog.SeverityNumberWarn, want: clock + "WARN  " + refused},
		"no severity":      {body: refused, want: clock + "      " + refused},
		"no body":          {severity: plog.SeverityNumberInfo, want: clock + "INFO  ebpf.connection.connect"},
		"origin":           {body: refused, severity: plog.SeverityNumberWarn3, origin: "nginx.service", want: clock + "WARN  " + refused + " [nginx.service]"},
		"colors":           {form: form{color: true}, body: "x", severity: plog.SeverityNumberWarn, origin: "y", want: faint + strings.TrimSpace(clock) + plain + " " + yellow + "WARN" + plain + "  x " + faint + "[y]" + plain},
		"no color of info": {form: form{color: true}, body: "x", severity: plog.SeverityNumberInfo, want: faint + strings.TrimSpace(clock) + plain + " INFO  x"},
		"error":            {form: form{color: true}, body: "x", severity: plog.SeverityNumberError, want: faint + strings.TrimSpace(clock) + plain + " " + red + "ERROR" + plain + " x"},
		"cut":              {form: form{columns: 25}, body: "→→→→→→→→", severity: plog.SeverityNumberInfo, want: clock + "INFO  →→→→→…"},
		"just fits":        {form: form{columns: 25}, body: "123456", severity: plog.SeverityNumberInfo, want: clock + "INFO  123456"},
		"origin has room":  {form: form{columns: 30}, body: "123456", severity: plog.SeverityNumberInfo, origin: "ab", want: clock + "INFO  123456 [ab]"},
		"origin has none":  {form: form{columns: 30}, body: "123456", severity: plog.SeverityNumberInfo, origin: "abc", want: clock + "INFO  123456"},
		"forged line":      {body: "a\nb\r\x1b[2J\u202ec\u2028d\xff", severity: plog.SeverityNumberInfo, want: clock + "INFO  a?b??[2J?c?d\ufffd"},
		"forged origin":    {body: "a", origin: "x\n\x1by", severity: plog.SeverityNumberInfo, want: clock + "INFO  a [x??y]"},
	} {
		t.Run(name, func(t *testing.T) {
			got := tt.form.appendLine([]byte("before\n"), record(tt.body, tt.severity), tt.origin)
			assert.Equal(t, "before\n"+tt.want+"\n", string(got))
		})
	}
}

func TestLineOfRecordWithoutTime(t *testing.T) {
	lr := plog.NewLogRecord()
	lr.SetObservedTimestamp(pcommon.NewTimestampFromTime(at))
	lr.Body().SetStr("x")
	assert.Equal(t, clock+"      x\n", string(form{}.appendLine(nil, lr, "")))
}

func TestOrigin(t *testing.T) {
	resource := pcommon.NewResource()
	assert.Empty(t, originOf(resource))
	resource.Attributes().PutStr("container.id", "0123456789abcdef")
	assert.Equal(t, "0123456789ab", originOf(resource))
	resource.Attributes().PutStr("container.id", "web")
	assert.Equal(t, "web", originOf(resource))
	resource.Attributes().PutStr("systemd.unit.name", "nginx.service")
	assert.Equal(t, "nginx.service", originOf(resource))
}

// writes keeps what is written, a string for each call.
type writes struct {
	texts []string
	err   error
}

func (w *writes) Write(text []byte) (int, error) {
	w.texts = append(w.texts, string(text))
	return len(text), w.err
}

// A batch is one write. What cannot be written is given up.
func TestPush(t *testing.T) {
	logs := plog.NewLogs()
	for _, unit := range []string{"a.service", "b.service"} {
		rl := logs.ResourceLogs().AppendEmpty()
		rl.Resource().Attributes().PutStr("systemd.unit.name", unit)
		record("x", plog.SeverityNumberInfo).CopyTo(rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty())
	}
	out := &writes{}
	e := &terminal{out: out}
	require.NoError(t, e.push(t.Context(), logs))
	assert.Equal(t, []string{clock + "INFO  x [a.service]\n" + clock + "INFO  x [b.service]\n"}, out.texts)

	out.err = errors.New("broken pipe")
	err := e.push(t.Context(), logs)
	require.EqualError(t, errors.Unwrap(err), "write to standard output: broken pipe")
	assert.True(t, consumererror.IsPermanent(err))
}
