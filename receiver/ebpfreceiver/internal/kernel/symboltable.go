// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"sort"
	"strings"
)

// errSymbolsEmpty means that the file has no symbol at all.
var errSymbolsEmpty = errors.New("the file is empty: something is mounted over it, as by ProtectKernelTunables= of systemd")

// pageSize is the smallest unit in which the kernel allocates memory for the text of a module.
const pageSize = 4096

// symbolTable has the functions of the kernel and its modules by address. It does not change once parsed.
type symbolTable struct {
	// symbols are sorted by address. Of several with one address, only the first in the kernel's order is kept.
	symbols []symbol
	// names has all names, one after the other.
	names string
	// start and end are the bounds of the kernel's text without modules.
	start, end uint64
}

// symbol takes 16 bytes: a kernel has more than 60,000 of them.
type symbol struct {
	address uint64
	// offset and length are the place of the name in symbolTable.names.
	offset uint32
	length uint16
	// module is the number of the module; 0 is the kernel itself.
	module uint16
}

// parseSymbols reads the format of /proc/kallsyms, "address type name[ [module]]" per line. It returns ErrSymbolsHidden
// if all addresses are zero, and errSymbolsEmpty if there are none.
func parseSymbols(r io.Reader) (*symbolTable, error) {
	t := &symbolTable{end: math.MaxUint64}
	// Reserve room for what most kernels have. Growing would need twice as much for a while, and Go would not give that
	// back soon.
	symbols := make([]symbol, 0, 1<<16)
	var names strings.Builder
	names.Grow(3 << 19)
	modules := map[string]uint16{"": 0}
	hidden, empty := true, true

	lines := bufio.NewScanner(r)
	for lines.Scan() {
		line, err := splitSymbol(lines.Bytes())
		if err != nil {
			return nil, err
		}
		hidden, empty = hidden && line.address == 0, false
		if !line.isFunction() {
			continue
		}
		switch string(line.name) {
		case "_stext":
			t.start = line.address
		case "_etext":
			t.end = line.address
		}
		var module uint16
		if len(line.module) > 0 {
			var ok bool
			if module, ok = modules[string(line.module)]; !ok {
				module = uint16(len(modules))
				modules[string(line.module)] = module
			}
		}
		name := sourceName(line.name)
		symbols = append(symbols, symbol{
			address: line.address, offset: uint32(names.Len()), length: uint16(len(name)), module: module,
		})
		names.Write(name)
	}
	if err := lines.Err(); err != nil {
		return nil, err
	}
	if empty {
		return nil, errSymbolsEmpty
	}
	if hidden {
		return nil, ErrSymbolsHidden
	}

	byAddress := func(a, b symbol) int { return cmp.Compare(a.address, b.address) }
	if !slices.IsSortedFunc(symbols, byAddress) { // the kernel's own symbols are
		slices.SortStableFunc(symbols, byAddress)
	}
	t.symbols = slices.CompactFunc(symbols, func(a, b symbol) bool { return a.address == b.address })
	t.names = names.String()
	return t, nil
}

// name returns the name of the function that contains address, or "".
func (t *symbolTable) name(address uint64) string {
	after := sort.Search(len(t.symbols), func(i int) bool { return t.symbols[i].address > address })
	if after == 0 {
		return ""
	}
	if address >= t.endOf(after-1) {
		return ""
	}
	return t.nameOf(after - 1)
}

func (t *symbolTable) nameOf(i int) string {
	s := t.symbols[i]
	return t.names[s.offset : s.offset+uint32(s.length)]
}

// endOf returns the end of a symbol's code. It returns the start if the code must not be named.
func (t *symbolTable) endOf(i int) uint64 {
	s, next := t.symbols[i], uint64(math.MaxUint64)
	if i+1 < len(t.symbols) {
		next = t.symbols[i+1].address
	}
	switch {
	case s.module == 0:
		if s.address < t.start {
			return s.address
		}
		return max(s.address, min(next, t.end))
	case i+1 == len(t.symbols) || t.symbols[i+1].module != s.module:
		// The end of a module's last function is unknown, and a module loaded later may follow. Modules do not share
		// pages, so the rest of the page belongs to this function.
		return min(next, (s.address/pageSize+1)*pageSize)
	}
	return next
}

// functions returns the code of the functions of these names.
func (t *symbolTable) functions(names []string) (found []Code) {
	for i, s := range t.symbols {
		if end := t.endOf(i); end > s.address && slices.Contains(names, t.nameOf(i)) {
			found = append(found, Code{s.address, end - s.address})
		}
	}
	return found
}

// symbolLine is one line of /proc/kallsyms.
type symbolLine struct {
	address      uint64
	kind         byte
	name, module []byte
}

func splitSymbol(line []byte) (symbolLine, error) {
	address, rest := nextField(line)
	kind, rest := nextField(rest)
	name, rest := nextField(rest)
	module, _ := nextField(rest)
	number, ok := parseAddress(address)
	if !ok || len(kind) != 1 || len(name) == 0 || len(name) > 1<<10 {
		return symbolLine{}, fmt.Errorf("line %q is not of the form \"address type name\"", line)
	}
	return symbolLine{address: number, kind: kind[0], name: name, module: module}, nil
}

// nextField returns the first field of a line, up to a space or tab, and the rest.
func nextField(line []byte) (field, rest []byte) {
	for len(line) > 0 && (line[0] == ' ' || line[0] == '\t') {
		line = line[1:]
	}
	end := len(line)
	for _, separator := range []byte{' ', '\t'} {
		if i := bytes.IndexByte(line[:end], separator); i >= 0 {
			end = i
		}
	}
	return line[:end], line[end:]
}

// parseAddress parses a hexadecimal number of 64 bits.
func parseAddress(digits []byte) (address uint64, ok bool) {
	if len(digits) == 0 || len(digits) > 16 {
		return 0, false
	}
	for _, c := range digits {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		address = address<<4 | uint64(c)
	}
	return address, true
}

// isFunction leaves out data and code that nobody wrote: the padding before functions, and code that the kernel generates
// at run time, whose addresses are reused.
func (l symbolLine) isFunction() bool {
	switch l.kind {
	case 't', 'T', 'w', 'W':
	default:
		return false
	}
	return l.address != 0 &&
		!bytes.HasPrefix(l.name, []byte("__pfx_")) && !bytes.HasPrefix(l.name, []byte("__cfi_")) &&
		!bytes.Equal(l.module, []byte("[bpf]")) && !bytes.HasPrefix(l.module, []byte("[__builtin__"))
}

// sourceName cuts off the suffixes with which the compiler names parts and copies of a function, as in "tcp_ack.cold" or
// "ip_rcv_core.isra.0". The result is the name in the source.
func sourceName(name []byte) []byte {
	if i := bytes.IndexByte(name, '.'); i > 0 {
		return name[:i]
	}
	return name
}
