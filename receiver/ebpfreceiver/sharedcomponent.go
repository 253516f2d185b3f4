// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"context"
	"errors"
	"sync"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/component/componentstatus"
)

var errAlreadyShutDown = errors.New("the component was shut down and cannot be started again")

// sharedComponents holds one component per key, so that the pipelines of one configuration share it.
type sharedComponents[K comparable, V component.Component] struct {
	mu         sync.Mutex
	components map[K]*sharedComponent[V]
}

func newSharedComponents[K comparable, V component.Component]() *sharedComponents[K, V] {
	return &sharedComponents[K, V]{components: make(map[K]*sharedComponent[V])}
}

// loadOrStore returns the component of the key, and creates it if there is none. The component is forgotten when it is
// shut down.
func (s *sharedComponents[K, V]) loadOrStore(key K, create func() V) *sharedComponent[V] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if shared, ok := s.components[key]; ok {
		return shared
	}
	shared := &sharedComponent[V]{component: create()}
	shared.forget = func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.components, key)
	}
	s.components[key] = shared
	return shared
}

// sharedComponent is a component that several pipelines use. The first Start starts it, the first Shutdown shuts it down.
type sharedComponent[V component.Component] struct {
	component V
	forget    func()
	hosts     statusFanOut

	mu          sync.Mutex // serializes Start and Shutdown
	started     bool
	startErr    error
	shutDown    bool
	shutdownErr error
}

var _ component.Component = (*sharedComponent[component.Component])(nil)

// Start starts the component if no pipeline has started it, and returns the result of that start. Statuses that the component
// reports go to the hosts of all pipelines.
func (s *sharedComponent[V]) Start(ctx context.Context, host component.Host) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.shutDown {
		return errAlreadyShutDown
	}
	s.hosts.add(host)
	if !s.started {
		s.started = true
		s.startErr = s.component.Start(ctx, &sharedHost{Host: host, statusFanOut: &s.hosts})
	}
	return s.startErr
}

// Shutdown shuts the component down if no pipeline has done so, whether or not it was started.
func (s *sharedComponent[V]) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.shutDown {
		s.shutDown = true
		s.shutdownErr = s.component.Shutdown(ctx)
		s.forget()
	}
	return s.shutdownErr
}

// sharedHost is the host of the pipeline that started first, with the status reporters of all.
type sharedHost struct {
	component.Host
	*statusFanOut
}

var _ componentstatus.Reporter = (*sharedHost)(nil)

// statusFanOut reports a component's status to several hosts.
type statusFanOut struct {
	mu        sync.Mutex
	reporters []componentstatus.Reporter
	last      *componentstatus.Event
}

// add adds a host, and reports the current status to it.
func (f *statusFanOut) add(host component.Host) {
	reporter, ok := host.(componentstatus.Reporter)
	if !ok {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.reporters = append(f.reporters, reporter)
	if f.last != nil {
		reporter.Report(f.last)
	}
}

// Report implements componentstatus.Reporter.
func (f *statusFanOut) Report(event *componentstatus.Event) {
	f.mu.Lock()
	defer f.mu.Unlock()
	// The collector ignores statuses after a permanent error, so a later host must get that one.
	if f.last == nil || f.last.Status() != componentstatus.StatusPermanentError {
		f.last = event
	}
	for _, reporter := range f.reporters {
		reporter.Report(event)
	}
}
