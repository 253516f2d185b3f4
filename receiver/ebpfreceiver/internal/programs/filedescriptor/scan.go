// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"unsafe"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
)

// seqBufferSize is the most bytes that one read of an iterator returns.
const seqBufferSize = 32 << 10

// scan reads the descriptors of all processes, and hands each process to the leak detector.
func (d *descriptors) scan() (_ *snapshot, err error) {
	d.scans++
	if err := d.beginScan(&bpf.FileDescriptorScan{Number: d.scans}); err != nil {
		return nil, err
	}
	r, err := d.openScan()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	s := newSnapshot(d.config.Processes, d.unshared, d.leaks.observe)
	if err := readTables(bufio.NewReaderSize(r, seqBufferSize), s.add); err != nil {
		return nil, err
	}
	unshared := s.finish()
	for p := range unshared {
		if !d.unshared[p] {
			// The last scan missed a part of the process, which would look like growth in the next scan.
			d.leaks.forget(p)
		}
	}
	d.unshared = unshared
	return s, nil
}

// readTables calls f for each table that the BPF side has written.
func readTables(r io.Reader, f func(*bpf.FileDescriptorTable)) error {
	var table bpf.FileDescriptorTable
	raw := unsafe.Slice((*byte)(unsafe.Pointer(&table)), unsafe.Sizeof(table))
	for {
		switch _, err := io.ReadFull(r, raw); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read the descriptors of all processes: %w", err)
		}
		f(&table)
	}
}
