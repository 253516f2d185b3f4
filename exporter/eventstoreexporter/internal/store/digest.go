// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"os"
	"slices"
	"strconv"

	"go.opentelemetry.io/collector/pdata/pcommon"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/event"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
)

// digestSuffix is the suffix of the file with a digest.
const digestSuffix = "-digest"

// digest says which values may occur in a sealed file. Opening an SQLite file takes a millisecond, and a store has many. With digests
// a query opens only the files that may have the value. A digest is a separate file. Looking up a value reads one line of it. If it
// is missing or damaged, the query opens the SQLite file.
type digest struct {
	path  string
	first int64
	// types are the names of the events; nil if they are too many.
	types []string
	// severities has a bit for each severity.
	severities uint32
	// lines is the number of lines. They begin at offset.
	lines  int
	offset int64
}

const (
	digestMagic    = "evdigst2"
	maxDigestTypes = 256
	maxDigestHead  = 64 << 10
)

// Keys of hashes besides those of attributes.
const (
	// keyOfResource distinguishes the key of a resource attribute from that of a record attribute.
	keyOfResource = 0x5bd1e9955bd1e995
	// keyOfKind plus a type of value marks the keys of attributes that have values of this type.
	keyOfKind = 1 << 32
)

// hashOfColumn is the hash of a value of a column: an int64 or, of a column with text, a string.
func hashOfColumn(column int, value any) uint64 {
	if text, ok := value.(string); ok {
		return hashOf(uint64(column), hashText(text))
	}
	number, _ := value.(int64)
	return hashOf(uint64(column), uint64(postingKey(0, number)))
}

func hashOfResource(key, value string) uint64 {
	return hashOf(hashText(key)^keyOfResource, hashText(value))
}

// digestHash is hashOfColumn of a value as the column has it.
func digestHash(column int, value int64, t *tables) uint64 {
	if column == columnAny || columnNames[column].text {
		return hashOf(uint64(column), hashText(t.strings[value-1])) // only the writer adds strings, and it is the caller
	}
	return hashOfColumn(column, value)
}

// fill adds the values in the tables of a file to its filter.
func (x *index) fill(t *tables) {
	for _, s := range t.shapes {
		for i := range s.attributes {
			if a := &s.attributes[i]; !a.isOther {
				x.note(hashOf(keyOfKind|uint64(a.kind), a.hash))
			}
		}
	}
	for _, o := range t.origins {
		for key, value := range o.Resource.Attributes().All() {
			x.note(hashOfResource(key, value.AsString()))
		}
	}
}

// writeDigest writes the digest of a sealed file.
func (w *writer) writeDigest() (*digest, error) {
	w.index.fill(w.tables)
	values := w.index.values.fold(w.index.noted)
	d := &digest{path: w.path, first: w.first, severities: w.index.severities, lines: len(values) / lineBytes}
	if len(w.index.types) <= maxDigestTypes {
		d.types = []string{}
		for _, id := range w.index.types {
			d.types = append(d.types, w.tables.strings[id-1])
		}
	}
	head := d.head()
	for i := range d.lines {
		line := values[i*lineBytes:][:lineBytes]
		binary.LittleEndian.PutUint32(line[lineText:], d.sum(line, i))
	}
	d.offset = int64(len(head))
	err := os.WriteFile(w.path+digestSuffix, append(head, values...), 0o600)
	if err != nil {
		_ = os.Remove(w.path + digestSuffix) // a rest would not be read
		return nil, err
	}
	return d, nil
}

// head is the beginning of the file: the length of the content, the content and its checksum.
func (d *digest) head() []byte {
	text := []byte(digestMagic)
	text = binary.AppendVarint(text, d.first)
	text = binary.AppendUvarint(text, uint64(d.severities))
	text = binary.AppendUvarint(text, uint64(d.lines))
	count := int64(len(d.types))
	if d.types == nil {
		count = -1
	}
	text = binary.AppendVarint(text, count)
	for _, name := range d.types {
		text = append(binary.AppendUvarint(text, uint64(len(name))), name...)
	}
	head := binary.LittleEndian.AppendUint32(nil, uint32(len(text)))
	return binary.LittleEndian.AppendUint32(append(head, text...), crc32.ChecksumIEEE(text))
}

// readDigest reads the head of a digest of an earlier run.
func readDigest(path string, first int64) (*digest, error) {
	file, err := os.Open(path + digestSuffix)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	begin := make([]byte, 4)
	if _, err := file.ReadAt(begin, 0); err != nil {
		return nil, err
	}
	length := binary.LittleEndian.Uint32(begin)
	if length > maxDigestHead {
		return nil, errDigest
	}
	text := make([]byte, length+4)
	if _, err := file.ReadAt(text, 4); err != nil {
		return nil, err
	}
	sum := binary.LittleEndian.Uint32(text[length:])
	if text = text[:length]; sum != crc32.ChecksumIEEE(text) || len(text) < len(digestMagic) || string(text[:len(digestMagic)]) != digestMagic {
		return nil, errDigest
	}
	v := values{rest: text[len(digestMagic):]}
	d := &digest{path: path, first: v.varint(), offset: int64(length) + 8}
	d.severities, d.lines = uint32(v.uvarint()), int(v.uvarint())
	if count := v.varint(); count >= 0 {
		d.types = []string{}
		for range count {
			d.types = append(d.types, string(v.bytes(v.uvarint())))
		}
	}
	if v.err != nil || d.first != first || d.lines <= 0 {
		return nil, errDigest
	}
	return d, nil
}

var errDigest = errors.New("the digest cannot be read")

// sum is the checksum of a line. It includes the number of the line and the file, so that no other line has it.
func (d *digest) sum(line []byte, number int) uint32 {
	place := binary.LittleEndian.AppendUint64(make([]byte, 0, 16), uint64(d.first))
	place = binary.LittleEndian.AppendUint64(place, uint64(number))
	return crc32.Update(crc32.ChecksumIEEE(place), crc32.IEEETable, line[:lineText])
}

// mayHaveResource reports whether a resource of a slice may have a value of an attribute.
func (s *slice) mayHaveResource(key, value string) bool {
	s.mu.Lock()
	d := s.digest
	s.mu.Unlock()
	if d == nil {
		return true
	}
	l := lineReader{digest: d}
	defer l.close()
	return l.lookup(hashOfResource(key, value))
}

// mayHave reports whether a slice may have events that pass a filter, whatever their time is.
func (s *slice) mayHave(f *query.Filter) bool {
	s.mu.Lock()
	d := s.digest
	s.mu.Unlock()
	return d == nil || d.mayHave(f)
}

func (d *digest) mayHave(f *query.Filter) bool {
	if f.Severity > 0 && d.severities>>f.Severity == 0 {
		return false
	}
	if len(f.Types) > 0 && d.types != nil && !slices.ContainsFunc(d.types, func(name string) bool {
		return slices.ContainsFunc(f.Types, func(t query.Type) bool { return t.Matches(name) })
	}) {
		return false
	}
	l := lineReader{digest: d}
	defer l.close()
	for field, value := range f.Fields {
		if !l.lookup(hashOfColumn(int(field), value)) {
			return false
		}
	}
	if f.Address != nil && !l.lookup(hashOfColumn(int(event.ClientAddress), *f.Address)) && !l.lookup(hashOfColumn(int(event.ServerAddress), *f.Address)) {
		return false
	}
	if f.Port != nil && !l.lookup(hashOfColumn(int(event.ClientPort), *f.Port)) && !l.lookup(hashOfColumn(int(event.ServerPort), *f.Port)) {
		return false
	}
	for key, value := range f.Attributes {
		if !l.attribute(key, value) {
			return false
		}
	}
	return true
}

// lineReader reads the lines of a digest.
type lineReader struct {
	*digest
	file *os.File
	err  error
}

func (l *lineReader) close() {
	if l.file != nil {
		_ = l.file.Close() // it was read only
	}
}

// lookup reads the line of a hash, and reports whether the file may have the hash. It is true if the line cannot be read.
func (l *lineReader) lookup(hash uint64) bool {
	if l.file == nil && l.err == nil {
		l.file, l.err = os.Open(l.path + digestSuffix)
	}
	if l.err != nil {
		return true
	}
	var line [lineBytes]byte
	number := lineOf(hash, l.lines)
	if _, l.err = l.file.ReadAt(line[:], l.offset+int64(number)*lineBytes); l.err != nil {
		return true
	}
	if binary.LittleEndian.Uint32(line[lineText:]) != l.sum(line[:], number) {
		l.err = errDigest
		return true
	}
	return lineHas(line[:], hash)
}

// attribute reports whether an attribute of a record or of its resource may have a value.
func (l *lineReader) attribute(key, value string) bool {
	if l.lookup(hashOfResource(key, value)) {
		return true
	}
	field, isColumn := event.Attributes[key]
	a := attribute{hash: hashText(key)}
	for a.kind = pcommon.ValueTypeEmpty; a.kind <= pcommon.ValueTypeBytes; a.kind++ {
		if !l.lookup(hashOf(keyOfKind|uint64(a.kind), a.hash)) {
			continue
		}
		list, others := a.hashesOf(value)
		if others || slices.ContainsFunc(list, l.lookup) {
			return true
		}
		if a.kind == pcommon.ValueTypeStr && l.lookup(hashOf(uint64(columnAny), hashText(value))) {
			return true
		}
		if isColumn && a.kind == field.Type && l.column(int(field.Field), a.kind, value) {
			return true
		}
	}
	return false
}

func (l *lineReader) column(column int, kind pcommon.ValueType, text string) bool {
	if kind == pcommon.ValueTypeInt {
		number, err := strconv.ParseInt(text, 10, 64)
		return err == nil && l.lookup(hashOfColumn(column, number))
	}
	return l.lookup(hashOfColumn(column, text))
}
