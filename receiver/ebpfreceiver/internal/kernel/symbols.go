// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// ErrSymbolsHidden means that the kernel shows the names of its functions without their addresses.
var ErrSymbolsHidden = errors.New("the addresses in /proc/kallsyms are hidden, so kernel functions cannot be named: " +
	"give CAP_SYSLOG (setcap cap_syslog+ep, AmbientCapabilities=CAP_SYSLOG or securityContext.capabilities.add: [SYSLOG]) " +
	"and set the sysctl kernel.kptr_restrict to 0 or 1")

// maxMissing bounds the remembered addresses without a name.
const maxMissing = 1024

// Code is a range of the kernel's text.
type Code struct{ Start, Size uint64 }

// Symbols finds the kernel function that contains an address. It reads the symbols at the first request, and again if an
// address has no name, because a module may have been loaded since. It is safe for concurrent use.
type Symbols struct {
	open func() (io.ReadCloser, error)
	now  func() time.Time

	table atomic.Pointer[symbolTable]

	mu       sync.Mutex
	loadedAt time.Time
	failed   bool
	// missing has the addresses that were not found. Reading all symbols takes long, so it is not repeated for them.
	missing map[uint64]struct{}
}

// NewSymbols returns the symbols of the running kernel. It does not read them yet.
func NewSymbols() *Symbols { return SymbolsIn("/proc/kallsyms") }

// SymbolsIn returns the symbols of a file like /proc/kallsyms.
func SymbolsIn(file string) *Symbols {
	return newSymbols(func() (io.ReadCloser, error) { return os.Open(file) }, time.Now)
}

func newSymbols(open func() (io.ReadCloser, error), now func() time.Time) *Symbols {
	return &Symbols{open: open, now: now, missing: make(map[uint64]struct{})}
}

// Name returns the name of the function that contains an address, or "" if unknown. The error says why there are no
// names. It is returned only once per cause, for logging; it is ErrSymbolsHidden if this process lacks the rights. It
// costs no allocation unless symbols are read.
func (s *Symbols) Name(address uint64) (string, error) {
	if t := s.table.Load(); t != nil {
		if name := t.name(address); name != "" {
			return name, nil
		}
	}
	if address == 0 {
		return "", nil
	}
	return s.refresh(address)
}

// refresh reads the symbols again for an address without a name, at most once per refreshInterval.
func (s *Symbols) refresh(address uint64) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	// Another goroutine may have read them while this one waited.
	if t := s.table.Load(); t != nil {
		if name := t.name(address); name != "" {
			return name, nil
		}
	}
	if _, ok := s.missing[address]; ok {
		return "", nil
	}
	now := s.now()
	if !s.loadedAt.IsZero() && now.Sub(s.loadedAt) < refreshInterval {
		return "", nil
	}
	s.loadedAt = now
	t, err := s.read()
	if t == nil {
		return "", err
	}
	name := t.name(address)
	if name == "" {
		if len(s.missing) >= maxMissing {
			clear(s.missing)
		}
		s.missing[address] = struct{}{}
	}
	return name, nil
}

// Functions returns the code ranges of these functions, with the parts that the compiler moved out of them and the copies
// it made. Functions that this kernel does not have are left out. The error is that of Name.
func (s *Symbols) Functions(names ...string) ([]Code, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.table.Load()
	if t == nil {
		var err error
		if t, err = s.read(); t == nil {
			return nil, err
		}
	}
	return t.functions(names), nil
}

// read reads the symbols. If that fails there is no table, and an error only the first time.
func (s *Symbols) read() (*symbolTable, error) {
	t, err := s.load()
	if err != nil {
		if s.failed {
			return nil, nil
		}
		s.failed = true
		return nil, err
	}
	s.failed = false
	s.table.Store(t)
	return t, nil
}

func (s *Symbols) load() (*symbolTable, error) {
	file, err := s.open()
	if err != nil {
		return nil, fmt.Errorf("kernel functions cannot be named: %w; a kernel with CONFIG_KALLSYMS=y and a mounted /proc has them, where nothing hides it as ProtectKernelTunables= of systemd does", err)
	}
	defer file.Close()
	t, err := parseSymbols(file)
	if err != nil && !errors.Is(err, ErrSymbolsHidden) {
		return nil, fmt.Errorf("kernel functions cannot be named: reading /proc/kallsyms: %w", err)
	}
	return t, err
}
