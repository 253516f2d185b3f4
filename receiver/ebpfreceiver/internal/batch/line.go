// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"slices"
	"strconv"
	"unicode/utf8"
)

// escapeLine returns the text as one line of valid UTF-8 that a terminal shows as it is. Anybody may name a process or a file,
// so a body must not be able to begin a line, move the cursor or turn the direction of the text. Such characters are escaped as
// in Go and C: a line break becomes \n. Bytes that are not UTF-8 become U+FFFD. A text without them costs no allocation.
func escapeLine(text []byte) []byte {
	for i := 0; i < len(text); {
		if text[i]-' ' < 0x7f-' ' {
			i++ // the fast path for nearly all characters: decoding costs ten times as much
			continue
		}
		r, size := utf8.DecodeRune(text[i:])
		if isPlain(r, size) {
			i += size
			continue
		}
		escaped := appendEscaped(nil, r, size)
		text = slices.Replace(text, i, i+size, escaped...)
		i += len(escaped)
	}
	return text
}

// isPlain reports whether a decoded character of that many bytes may be in a line unescaped.
func isPlain(r rune, size int) bool {
	const ours = '→' // in most bodies
	return r == ours || strconv.IsPrint(r) && (r != utf8.RuneError || size > 1)
}

func appendEscaped(text []byte, r rune, size int) []byte {
	if r == utf8.RuneError && size == 1 {
		return utf8.AppendRune(text, utf8.RuneError)
	}
	quoted := strconv.AppendQuoteRuneToASCII(nil, r)
	return append(text, quoted[1:len(quoted)-1]...)
}
