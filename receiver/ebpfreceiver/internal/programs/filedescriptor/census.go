// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package filedescriptor

import (
	"bufio"
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"unsafe"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/filedescriptor"
)

// kernelBuffer is how much the kernel gives at once.
const kernelBuffer = 32 << 10

// maxSplit bounds the processes of which several tables are added up.
const maxSplit = 4096

// process tells processes apart, whose ids are given out again.
type process struct {
	pid   uint32
	start uint64
}

// holding is what a process has open.
type holding struct {
	process
	owner common.Owner
	open  [kinds]uint32
}

func (h *holding) total() (n uint64) {
	for _, open := range h.open {
		n += uint64(open)
	}
	return n
}

// census is one look at what all processes have open. However many there are, it holds twice as many as it tells apart.
type census struct {
	limit int
	// most are the processes that have the most; rest is what all others have together.
	most []holding
	rest [kinds]uint64
	// split are the processes of which threads have tables of their own, with what of them has come so far. Only with the
	// next census it is known from the beginning that nothing of them may be left out.
	split map[process]*holding
	next  map[process]bool
	// look is called for each process when all that is known of it has come.
	look func(*holding)
}

func newCensus(limit int, split map[process]bool, look func(*holding)) *census {
	c := &census{
		limit: limit, most: make([]holding, 0, 2*limit), split: map[process]*holding{}, next: map[process]bool{}, look: look,
	}
	for p := range split {
		c.split[p] = new(holding)
	}
	return c
}

// add takes the table of a process, or of a thread that has one to itself.
func (c *census) add(table *bpf.FileDescriptorTable) {
	h := holding{process: process{table.Owner.Pid, table.Start}, owner: *common.OwnerOf(&table.Owner), open: table.Open}
	thread := table.Thread != table.Owner.Pid
	if thread && len(c.next) < maxSplit {
		c.next[h.process] = true
	}
	if all := c.split[h.process]; all != nil {
		h.add(all)
		*all = h
		return
	}
	if thread {
		if i := slices.IndexFunc(c.most, func(other holding) bool { return other.process == h.process }); i >= 0 {
			c.most[i].add(&h)
		} else {
			c.leaveOut(&h)
		}
		return
	}
	c.put(h)
}

func (c *census) put(h holding) {
	c.look(&h)
	c.most = append(c.most, h)
	if len(c.most) == 2*c.limit {
		c.cut()
	}
}

// cut leaves out all but those that have the most.
func (c *census) cut() {
	slices.SortFunc(c.most, func(a, b holding) int {
		return cmp.Or(cmp.Compare(b.total(), a.total()), cmp.Compare(a.pid, b.pid))
	})
	for i := c.limit; i < len(c.most); i++ {
		c.leaveOut(&c.most[i])
	}
	c.most = c.most[:min(c.limit, len(c.most))]
}

func (c *census) leaveOut(h *holding) {
	for kind, n := range h.open {
		c.rest[kind] += uint64(n)
	}
}

// finish leaves those that have the most, in order, and returns the processes of several tables.
func (c *census) finish() map[process]bool {
	for _, h := range c.split {
		if h.pid != 0 {
			c.put(*h)
		}
	}
	c.cut()
	return c.next
}

func (h *holding) add(other *holding) {
	for kind, n := range other.open {
		h.open[kind] += n
	}
}

// scan looks at what all processes have open.
func (d *descriptors) scan() (_ *census, err error) {
	d.scans++
	if err := d.begin(&bpf.FileDescriptorScan{Number: d.scans}); err != nil {
		return nil, err
	}
	r, err := d.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	c := newCensus(d.config.Processes, d.split, d.growths.look)
	if err := readTables(bufio.NewReaderSize(r, kernelBuffer), c.add); err != nil {
		return nil, err
	}
	split := c.finish()
	for p := range split {
		if !d.split[p] {
			d.growths.forget(p)
		}
	}
	d.split = split
	return c, nil
}

// readTables calls f for each table that the kernel half has written.
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
