// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package file

import (
	"strconv"
	"strings"
	"unicode"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/file"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Verbs for the body, for success and failure.
var (
	does   = [...]string{unlinked: " deletes ", removed: " removes directory ", renamed: " renames over "}
	cannot = [...]string{unlinked: " can't delete ", removed: " can't remove directory ", renamed: " can't rename over "}
)

// appendDeletionBody appends a body such as "rm[4242] can't delete /etc/passwd: eacces".
func appendDeletionBody(b *batch.Batch, text []byte, e *bpf.FileEvent, path string) []byte {
	text = b.AppendOwner(text, common.OwnerOf(&e.Owner))
	switch {
	case e.Error != 0:
		text = append(text, cannot[e.Operation]...)
	case e.Uncertain != 0:
		text = append(text, " renames to "...)
	default:
		text = append(text, does[e.Operation]...)
	}
	return appendError(appendName(text, path), e.Error)
}

// appendOpenBody appends a body such as "vi[4242] opens /etc/passwd to write".
func appendOpenBody(b *batch.Batch, text []byte, e *bpf.FileEvent, path string) []byte {
	text = b.AppendOwner(text, common.OwnerOf(&e.Owner))
	if e.Error != 0 {
		text = append(text, " can't open "...)
	} else {
		text = append(text, " opens "...)
	}
	text = appendName(text, path)
	if e.Flags&onlyPath == 0 && e.Flags&accessMode != 0 {
		text = append(text, " to write"...)
	}
	return appendError(text, e.Error)
}

// appendName appends a path. It quotes a path with characters that would break the line.
func appendName(text []byte, path string) []byte {
	switch {
	case path == "":
		return append(text, '?')
	case strings.ContainsFunc(path, unicode.IsControl):
		return strconv.AppendQuote(text, path)
	default:
		return append(text, path...)
	}
}

func appendError(text []byte, errno uint16) []byte {
	if errno == 0 {
		return text
	}
	return append(append(text, ": "...), kernel.ErrorType(errno)...)
}
