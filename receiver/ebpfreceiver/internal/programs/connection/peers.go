// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/cilium/ebpf"

	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
)

// peers removes the UDP peers of closed sockets from the map of the BPF side.
type peers struct {
	all, inserted *ebpf.Map
	open          func() (io.ReadCloser, error) // nil: the map forgets by itself

	swept uint64 // how many were inserted before the last sweep
}

// sweepAfter is the number of new peers after which the map is swept. The map has room for eight times as many.
const sweepAfter = 32768

// sweep removes closed sockets if the map has got many peers since the last sweep.
func (p *peers) sweep() error {
	var inserted uint64
	if p.open == nil {
		return nil
	}
	if err := p.inserted.Lookup(uint32(0), &inserted); err != nil {
		return fmt.Errorf("read the number of UDP peers: %w", err)
	}
	if inserted-p.swept < sweepAfter {
		return nil
	}
	p.swept = inserted
	// Peers that are inserted later may belong to sockets that are younger than the list of sockets.
	var (
		known []bpf.ConnectionUdpPeer
		peer  bpf.ConnectionUdpPeer
		state uint8
	)
	all := p.all.Iterate()
	for all.Next(&peer, &state) {
		known = append(known, peer)
	}
	if err := all.Err(); err != nil && !errors.Is(err, ebpf.ErrIterationAborted) {
		return fmt.Errorf("read the UDP peers: %w", err)
	}
	live, err := p.live()
	if err != nil {
		return err
	}
	for i := range known {
		if _, ok := live[known[i].Cookie]; ok {
			continue
		}
		if err := p.all.Delete(&known[i]); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("remove a UDP peer: %w", err)
		}
	}
	return nil
}

// live returns the cookies of the sockets that processes have.
func (p *peers) live() (_ map[uint64]struct{}, err error) {
	r, err := p.open()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	buffered, cookie, live := bufio.NewReader(r), [8]byte{}, map[uint64]struct{}{}
	for {
		switch _, err := io.ReadFull(buffered, cookie[:]); {
		case errors.Is(err, io.EOF):
			return live, nil
		case err != nil:
			return nil, fmt.Errorf("read the UDP sockets: %w", err)
		}
		live[binary.NativeEndian.Uint64(cookie[:])] = struct{}{}
	}
}
