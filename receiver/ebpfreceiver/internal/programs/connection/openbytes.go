// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

const (
	// shortScan is the CPU time that a scan of the open connections takes on most hosts. Longer scans take at most one part in
	// scanShare of a CPU.
	shortScan = 50 * time.Millisecond
	scanShare = 20
)

// openBytes counts the bytes of connections while they are open: see bpf/connection/open_bytes.h. A byte counts once, at the first scrape
// after it was acknowledged or received. What is new of the open ones is counted by the BPF side, and what is left at the end here: so
// a connection costs user space something once.
type openBytes struct {
	// known looks at the connections that are known, others for new ones, step by step. Without, connections count when they end.
	known, others []iterator
	maps          map[string]*ebpf.Map
	scan          *ebpf.Map
	found         *ebpf.Map
	ended         *ebpf.Map
	counted       *ebpf.Map
	byPeer        bool
	counts        metrics.Scraper[series, bpf.ConnectionByteCounts]

	number   uint64    // of the last scan
	next     time.Time // no scan before
	entries  int       // in found
	inScan   int       // entries that the last scan has found
	searched time.Time // when found was searched last
	// closing are connections that only one scan has found, and when that was noticed.
	closing map[uint64]time.Time
}

// iterator starts a run of a function of the BPF side.
type iterator func() (io.ReadCloser, error)

// searchInterval is how often all entries are searched, if there are some that no scan finds any more: their descriptor is closed.
const searchInterval = time.Minute

// longestClose is more than a connection without a descriptor lives: the kernel gives up after some minutes.
const longestClose = 15 * time.Minute

// loaded hands over the maps.
func (l *openBytes) loaded(maps map[string]*ebpf.Map, byPeer bool) (err error) {
	l.scan, l.found, l.counted = maps[bpf.ConnectionMapConnectionScan], maps[bpf.ConnectionMapConnectionOpenBytes], maps[bpf.ConnectionMapConnectionByteCounts]
	l.maps, l.ended, l.closing, l.byPeer = maps, maps[bpf.ConnectionMapConnectionEnded], map[uint64]time.Time{}, byPeer
	l.counts, err = newScraper[bpf.ConnectionByteCounts](l.counted, byPeer, nil)
	return err
}

// hooks are the steps of a scan.
func (l *openBytes) hooks(storesInSockets bool) []program.Hook {
	if !storesInSockets {
		return []program.Hook{program.Reader(bpf.ConnectionProgConnectionScanOpen, "task_file")}
	}
	of := func(name string) func() *ebpf.Map { return func() *ebpf.Map { return l.maps[name] } }
	return []program.Hook{
		program.MapReader(bpf.ConnectionProgConnectionScanKnown, "bpf_map_elem", of(bpf.ConnectionMapConnectionOpenBytes)),
		program.MapReader(bpf.ConnectionProgConnectionScanStored, "bpf_sk_storage_map", of(bpf.ConnectionMapConnectionStorage)),
		program.MapReader(bpf.ConnectionProgConnectionScanSlots, "bpf_map_elem", of(bpf.ConnectionMapConnectionSocketRows)),
	}
}

// attached hands over the attached steps.
func (l *openBytes) attached(iters map[string]*program.Iter) {
	add := func(to *[]iterator, name string) {
		if iter := iters[name]; iter != nil {
			*to = append(*to, iter.Open)
		}
	}
	add(&l.known, bpf.ConnectionProgConnectionScanKnown)
	add(&l.others, bpf.ConnectionProgConnectionScanStored)
	add(&l.others, bpf.ConnectionProgConnectionScanSlots)
	add(&l.others, bpf.ConnectionProgConnectionScanOpen)
}

// update counts the bytes since the last scrape.
func (l *openBytes) update() error {
	if len(l.others) == 0 {
		return nil
	}
	if time.Now().After(l.next) {
		took, err := kernel.ThreadTime(l.scanTwice)
		if err != nil {
			return err
		}
		if took > shortScan {
			l.next = time.Now().Add((scanShare - 1) * took)
		}
	}
	return l.collect()
}

// collect counts what is left of the connections that have ended.
func (l *openBytes) collect() error {
	sums := leftovers{}
	err := l.takeEnded(sums)
	if l.entries > l.inScan && time.Since(l.searched) >= searchInterval {
		l.searched = time.Now()
		err = errors.Join(err, l.search(sums))
	}
	for key, sum := range sums {
		err = errors.Join(err, l.add(key, sum))
	}
	return err
}

// scanTwice scans all connections, and again if many were found first: only then it is certain that their end was not under way when
// they were found. Of a few, the scan itself makes certain.
func (l *openBytes) scanTwice() error {
	for range 2 {
		l.number++
		if err := l.scan.Put(uint32(0), bpf.ConnectionScan{Number: l.number}); err != nil {
			return fmt.Errorf("begin a scan of the open connections: %w", err)
		}
		steps := l.others
		if l.entries > 0 {
			steps = slices.Concat(l.known, l.others)
		}
		for _, step := range steps {
			if err := step.run(); err != nil {
				return fmt.Errorf("scan the open connections: %w", err)
			}
		}
		var done bpf.ConnectionScan
		if err := l.scan.Lookup(uint32(0), &done); err != nil {
			return fmt.Errorf("end a scan of the open connections: %w", err)
		}
		l.entries += int(done.Found)
		l.inScan = int(done.Open)
		if done.Found == done.Confirmed {
			return nil
		}
	}
	return nil
}

// run runs the function for all objects.
func (i iterator) run() error {
	r, err := i()
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// leftovers are bytes that are not counted yet, by series.
type leftovers map[bpf.ConnectionPeerSeries]bpf.ConnectionByteCounts

// addLeft adds what is not counted of a connection that has ended.
func (o leftovers) addLeft(c *bpf.ConnectionOpenBytes) {
	sum := o[c.Key]
	sum.Sent += c.TotalSent - c.Sent
	sum.Received += c.TotalReceived - c.Received
	o[c.Key] = sum
}

// takeEnded removes the entries of connections that have ended.
func (l *openBytes) takeEnded(sums leftovers) error {
	for {
		var socket uint64
		err := l.ended.LookupAndDelete(nil, &socket)
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read map %s: %w", l.ended, err)
		}
		var c bpf.ConnectionOpenBytes
		err = l.found.Lookup(socket, &c)
		if errors.Is(err, ebpf.ErrKeyNotExist) || err == nil && c.Closed == 0 {
			continue // a search has removed it; by address, another connection has its place
		}
		if err != nil {
			return fmt.Errorf("read map %s: %w", l.found, err)
		}
		sums.addLeft(&c)
		if err := l.forget(socket); err != nil {
			return err
		}
	}
}

// search looks for entries that are left.
func (l *openBytes) search(sums leftovers) error {
	var over []uint64
	entries := 0
	err := l.each(func(socket uint64, c *bpf.ConnectionOpenBytes) {
		entries++
		switch {
		case c.Closed != 0:
			sums.addLeft(c)
			over = append(over, socket)
		case c.Last == c.First && c.Last != l.number && l.markClosing(socket):
			over = append(over, socket)
		}
	})
	l.entries = entries
	for _, socket := range over {
		err = errors.Join(err, l.forget(socket))
	}
	return err
}

// forget removes the entry of a connection.
func (l *openBytes) forget(socket uint64) error {
	delete(l.closing, socket)
	l.entries--
	if err := l.found.Delete(socket); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("remove from map %s: %w", l.found, err)
	}
	return nil
}

// markClosing reports whether the entry of a connection that only one scan has found can be removed, and remembers when it was called
// first. The process has closed the descriptor since that scan. Either the end was under way during the scan, and has counted the
// bytes; or it will leave its totals in the entry. That may happen at any time, so the entry stays until no end can come.
func (l *openBytes) markClosing(socket uint64) (over bool) {
	since, ok := l.closing[socket]
	if !ok {
		since = time.Now()
		l.closing[socket] = since
	}
	return time.Since(since) > longestClose
}

// each calls f for each connection that a scan has found.
func (l *openBytes) each(f func(socket uint64, c *bpf.ConnectionOpenBytes)) error {
	const size = 4096
	var (
		cursor  ebpf.MapBatchCursor
		sockets = make([]uint64, size)
		found   = make([]bpf.ConnectionOpenBytes, size)
	)
	for {
		n, err := l.found.BatchLookup(&cursor, sockets, found, nil)
		for i := range n {
			f(sockets[i], &found[i])
		}
		if errors.Is(err, ebpf.ErrKeyNotExist) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read map %s: %w", l.found, err)
		}
	}
}

// add adds to the counts of a series; if there is no room for it, to those of the overflow series.
func (l *openBytes) add(key bpf.ConnectionPeerSeries, sum bpf.ConnectionByteCounts) error {
	if sum == (bpf.ConnectionByteCounts{}) {
		return nil
	}
	key.Series.Error, key.Series.Cause = 0, 0
	var whole any = &key
	if !l.byPeer {
		whole = &key.Series
	}
	var all bpf.ConnectionByteCounts
	if err := l.counted.Lookup(whole, &all); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
		return fmt.Errorf("read map %s: %w", l.counted, err)
	}
	all.Sent += sum.Sent
	all.Received += sum.Received
	err := l.counted.Put(whole, &all)
	overflow := bpf.ConnectionPeerSeries{Series: bpf.ConnectionSeries{Cgroup: metrics.OverflowCgroup}}
	if err != nil && key != overflow {
		return l.add(overflow, sum)
	}
	if err != nil {
		return fmt.Errorf("write to map %s: %w", l.counted, err)
	}
	return nil
}

// addTo adds the bytes to the counts of the same series.
func (l *openBytes) addTo(all map[series]*bpf.ConnectionCounts, m *metrics.Builder) error {
	sums, err := l.counts.Scrape(m)
	for s, sum := range sums {
		if all[s] == nil {
			all[s] = &bpf.ConnectionCounts{}
		}
		all[s].BytesSent += sum.Sent
		all[s].BytesReceived += sum.Received
	}
	return err
}
