// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"sync"
)

// failures collects the errors of a start that continues despite them.
type failures struct {
	mu    sync.Mutex
	errs  []error
	taken bool
}

// add adds an error, unless take was called.
func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.taken {
		f.errs = append(f.errs, err)
	}
}

// take returns the errors joined, nil if there were none. Later errors are ignored.
func (f *failures) take() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.taken = true
	return errors.Join(f.errs...)
}
