// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/batch"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// noSource is the source of a receiver that goes on although none of its programs can run, and its reader: the events
// that say so are all there are.
type noSource struct{ wake chan struct{} }

var (
	_ source       = noSource{}
	_ recordReader = noSource{}
)

func newNoSource() noSource { return noSource{wake: make(chan struct{}, 1)} }

// Wait implements recordReader.
func (s noSource) Wait(timeout time.Duration) error {
	if timeout < 0 {
		<-s.wake
		return nil
	}
	select {
	case <-s.wake:
	case <-time.After(timeout):
	}
	return nil
}

// Wake implements recordReader.
func (s noSource) Wake() error {
	select {
	case s.wake <- struct{}{}:
	default:
	}
	return nil
}

// Reader implements source.
func (s noSource) Reader() (recordReader, error) { return s, nil }

// Drain implements recordReader.
func (noSource) Drain(int, func([]byte)) int { return 0 }

// Used implements recordReader.
func (noSource) Used() float64 { return 0 }

// AppendLog implements source.
func (noSource) AppendLog(*batch.Batch, []byte) error { return nil }

// LastSequences implements source.
func (noSource) LastSequences() ([]uint64, error) { return nil, nil }

// CountDelivered implements source.
func (noSource) CountDelivered([common.MaxPrograms]int) {}

// CountRefused implements source.
func (noSource) CountRefused([common.MaxPrograms]int) {}

// Scrape implements source.
func (noSource) Scrape(*program.Metrics) error { return nil }

// Attached implements source.
func (noSource) Attached() int { return 0 }

// Detach implements source.
func (noSource) Detach() {}

// Close implements source and recordReader.
func (noSource) Close() error { return nil }
