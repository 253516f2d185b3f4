// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package delivery

import "time"

// idleReader is a Reader without a ring.
type idleReader struct{ wake chan struct{} }

// NewIdleReader returns a reader without records, for a receiver that continues although none of its programs can run.
func NewIdleReader() Reader { return idleReader{wake: make(chan struct{}, 1)} }

// Wait implements Reader.
func (r idleReader) Wait(timeout time.Duration) error {
	if timeout < 0 {
		<-r.wake
		return nil
	}
	select {
	case <-r.wake:
	case <-time.After(timeout):
	}
	return nil
}

// Wake implements Reader.
func (r idleReader) Wake() error {
	select {
	case r.wake <- struct{}{}:
	default:
	}
	return nil
}

// Drain implements Reader.
func (idleReader) Drain(int, func([]byte)) int { return 0 }

// Used implements Reader.
func (idleReader) Used() float64 { return 0 }

// Close implements Reader.
func (idleReader) Close() error { return nil }
