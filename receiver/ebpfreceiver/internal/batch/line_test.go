// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

func TestEscapeLine(t *testing.T) {
	for text, want := range map[string]string{
		"":                                   "",
		"curl[4242] → 10.0.0.5:443, 95.4 µs": "curl[4242] → 10.0.0.5:443, 95.4 µs",
		"日本語 naïve":                          "日本語 naïve",
		`back\slash 'quote' "quotes"`:        `back\slash 'quote' "quotes"`,
		"x\nsshd[1] forged":                  `x\nsshd[1] forged`,
		"a\r\n\tb\x00":                       `a\r\n\tb\x00`,
		"\x1b[2J":                            `\x1b[2J`,
		"\x7f":                               `\x7f`,
		"\u009b2J":                           `\u009b2J`, // CSI in one character
		"a\u2028b\u2029c\u0085d":             `a\u2028b\u2029c\u0085d`,
		"gpj.\u202eexe":                      `gpj.\u202eexe`,
		"\xff\xfe ok \xc3":                   "\uFFFD\uFFFD ok \uFFFD",
		"\uFFFD is kept":                     "\uFFFD is kept",
		"\xc2\nx":                            "\uFFFD\\nx",
		"\n\n\n":                             `\n\n\n`,
	} {
		assert.Equal(t, want, string(escapeLine([]byte(text))), "%q", text)
	}
}

func FuzzEscapeLine(f *testing.F) {
	f.Add([]byte("x\n\x1b[2J\xff→\u202e"))
	f.Fuzz(func(t *testing.T, text []byte) {
		line := string(escapeLine(append([]byte(nil), text...)))
		assert.True(t, utf8.ValidString(line), "%q", line)
		assert.False(t, strings.ContainsFunc(line, func(r rune) bool { return !isPlain(r, utf8.RuneLen(r)) }), "%q", line)
		assert.Equal(t, line, string(escapeLine([]byte(line))), "escaping is idempotent")
	})
}

func TestEscapeLineAllocates(t *testing.T) {
	text := []byte("curl[4242] → 10.0.0.5:443 tcp refused after 95.4 µs")
	assert.Zero(t, testing.AllocsPerRun(100, func() { escapeLine(text) }))
}

// The body is one line, whatever names it contains.
func TestBodyIsOneLine(t *testing.T) {
	s := settings()
	s.Body = true
	b := New(s)
	owner := &common.Owner{Pid: 7}
	for i, c := range []byte("a\nb\x1b\xff") {
		owner.Comm[i] = int8(c)
	}
	event := b.Event(record(1, 1), 0, "ebpf.test", plog.SeverityNumberInfo)
	event.PutOwner(owner, uint8(common.AttributionNone))
	event.End(func(text []byte) []byte { return b.AppendOwner(text, owner) })
	logs := b.Flush().Logs
	require.Equal(t, 1, logs.LogRecordCount())
	lr := logs.ResourceLogs().At(0).ScopeLogs().At(0).LogRecords().At(0)
	assert.Equal(t, "a\\nb\\x1b\uFFFD[7]", lr.Body().Str())
	name, _ := lr.Attributes().Get("thread.name")
	assert.Equal(t, "a\nb\x1b\uFFFD", name.Str(), "attributes are not escaped")
}

func BenchmarkEscapeLine(b *testing.B) {
	text := []byte("curl[4242] → 127.0.0.1:13133 tcp closed after 5.6 ms, 79 B sent, 254 B received")
	b.ReportAllocs()
	for b.Loop() {
		escapeLine(text)
	}
}
