// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metrics"
)

const (
	// shortLook is how long a look at the open connections takes on most hosts. Longer ones take at most a part of the time, one in
	// lookShare.
	shortLook = 50 * time.Millisecond
	lookShare = 20
)

// living counts the bytes of connections while they are open: see bpf/connection/living.h. A byte counts once, at the first scrape
// after it was acknowledged or received.
type living struct {
	open        func() (io.ReadCloser, error) // nil: connections count when they end
	look, found *ebpf.Map
	counted     *ebpf.Map
	byPeer      bool
	counts      metrics.Scraper[series, bpf.ConnectionLivingCounts]

	number uint64    // of the last look
	next   time.Time // no look before
	// seen are the bytes of each connection, by its socket, that are counted.
	seen map[uint64]bpf.ConnectionLivingCounts
	// closing are connections that only one look has found, and when that was noticed.
	closing map[uint64]time.Time
}

// longestClose is more than a connection without a descriptor lives: the kernel gives up after some minutes.
const longestClose = 15 * time.Minute

// loaded hands over the maps.
func (l *living) loaded(maps map[string]*ebpf.Map, byPeer bool) (err error) {
	l.look, l.found, l.counted = maps[bpf.ConnectionMapConnectionLook], maps[bpf.ConnectionMapConnectionLiving], maps[bpf.ConnectionMapConnectionLivingCounts]
	l.seen, l.closing, l.byPeer = map[uint64]bpf.ConnectionLivingCounts{}, map[uint64]time.Time{}, byPeer
	l.counts, err = newScraper[bpf.ConnectionLivingCounts](l.counted, byPeer, nil)
	return err
}

// update counts the bytes since the last scrape.
func (l *living) update() error {
	if l.open == nil {
		return nil
	}
	start := time.Now()
	if start.After(l.next) {
		if err := l.lookTwice(); err != nil {
			return err
		}
		if took := time.Since(start); took > shortLook {
			l.next = time.Now().Add((lookShare - 1) * took)
		}
	}
	return l.collect()
}

// lookTwice looks at all connections, and again if some were found first: only then it is certain that their end was not under way
// when they were found.
func (l *living) lookTwice() error {
	for range 2 {
		l.number++
		if err := l.look.Put(uint32(0), bpf.ConnectionLook{Number: l.number}); err != nil {
			return fmt.Errorf("begin a look at the open connections: %w", err)
		}
		r, err := l.open()
		if err != nil {
			return err
		}
		_, err = io.Copy(io.Discard, r)
		if err = errors.Join(err, r.Close()); err != nil {
			return fmt.Errorf("look at the open connections: %w", err)
		}
		var done bpf.ConnectionLook
		if err := l.look.Lookup(uint32(0), &done); err != nil || done.Found == 0 {
			return err
		}
	}
	return nil
}

// collect counts what is new.
func (l *living) collect() error {
	sums := map[bpf.ConnectionPeerSeries]bpf.ConnectionLivingCounts{}
	var over []uint64
	err := l.each(func(socket uint64, c *bpf.ConnectionLiving) {
		before, known := l.seen[socket]
		now := bpf.ConnectionLivingCounts{Sent: c.Sent, Received: c.Received}
		switch {
		case c.Closed != 0:
			now = bpf.ConnectionLivingCounts{Sent: c.TotalSent, Received: c.TotalReceived}
			over = append(over, socket)
		case !known && c.Last == c.First:
			if c.Last != l.number && l.isOver(socket) {
				over = append(over, socket)
			}
			return
		default:
			l.seen[socket] = now
		}
		sum := sums[c.Key]
		sum.Sent += now.Sent - before.Sent
		sum.Received += now.Received - before.Received
		sums[c.Key] = sum
	})
	for key, sum := range sums {
		err = errors.Join(err, l.add(key, sum))
	}
	for _, socket := range over {
		delete(l.seen, socket)
		delete(l.closing, socket)
		if e := l.found.Delete(socket); e != nil && !errors.Is(e, ebpf.ErrKeyNotExist) {
			err = errors.Join(err, fmt.Errorf("remove from map %s: %w", l.found, e))
		}
	}
	return err
}

// isOver reports whether the entry of a connection that only one look has found can be removed. Its process has closed the descriptor
// since. Either its end was under way during the look, and has counted it, or it will leave its totals in the entry. The latter may
// happen at any time, so that the entry stays until no end can come.
func (l *living) isOver(socket uint64) bool {
	since, ok := l.closing[socket]
	if !ok {
		since = time.Now()
		l.closing[socket] = since
	}
	return time.Since(since) > longestClose
}

// each calls f for each connection that a look has found.
func (l *living) each(f func(socket uint64, c *bpf.ConnectionLiving)) error {
	const size = 4096
	var (
		cursor  ebpf.MapBatchCursor
		sockets = make([]uint64, size)
		found   = make([]bpf.ConnectionLiving, size)
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
func (l *living) add(key bpf.ConnectionPeerSeries, sum bpf.ConnectionLivingCounts) error {
	if sum == (bpf.ConnectionLivingCounts{}) {
		return nil
	}
	key.Series.Error, key.Series.Cause = 0, 0
	var whole any = &key
	if !l.byPeer {
		whole = &key.Series
	}
	var all bpf.ConnectionLivingCounts
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
func (l *living) addTo(all map[series]*bpf.ConnectionCounts, m *metrics.Builder) error {
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
