// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// Filter selects traffic and processes, for the BPF side of all programs.
type Filter struct {
	// Self is the collector's own process.
	Self        bool
	Loopback    bool
	CIDRs       []netip.Prefix
	Ports       []uint16
	Executables []string
}

// Include selects what all programs count and report; empty parts select everything. Exclude takes precedence.
type Include struct {
	Filter
	// Cgroup selects containers and units; nil selects all, and processes that are in none.
	Cgroup func(kernel.Container) bool
}

// Filters are applied before anything is counted or sent.
type Filters struct {
	Exclude Filter
	Include Include
}

// shared has the maps that all programs use. They are equal in every object, so one set serves all programs.
type shared struct {
	maps      map[string]*ebpf.Map
	variables map[string]any
	// unwatch ends the watch of includeCgroups; nil without one.
	unwatch func()
	// listener is the function that updates a listener; nil if no program reports listeners.
	listener *ebpf.Program
	// borrowed are the names of the maps that belong to another one: see fork.
	borrowed map[string]bool
}

// maxIncludedCgroups bounds the cgroups of included containers and units, removed ones included. The map is LRU: the kernel evicts the
// least recently used one.
const maxIncludedCgroups = 16384

// byAddressEntries is how many objects, such as sockets, are tracked where the kernel has no storage for this kind of
// object.
const byAddressEntries = 32768

// betweenQueries is the most bytes that a CPU writes to the ring between two queries of the bytes in use: 16 records.
const betweenQueries = 16 * 1024

func newShared(ringSize uint32, filters Filters, emit, byAddress bool) (_ *shared, err error) {
	exclude, include := &filters.Exclude, &filters.Include
	spec, err := common.LoadCommon()
	if err != nil {
		return nil, fmt.Errorf("read the embedded object: %w", err)
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count the CPUs: %w", err)
	}
	reserveAbove := uint64(ringSize) / 8 * 7
	s := &shared{maps: map[string]*ebpf.Map{}, variables: map[string]any{
		common.VarRingReserveAbove: reserveAbove,
		common.VarRingQueryAbove:   reserveAbove - min(reserveAbove, uint64(cpus)*betweenQueries),
		common.VarRingWakeAbove:    uint64(ringSize) / 8,
		// The BPF side reads names of processes for events, and to compare them with those of the filters.
		common.VarReadNames:          emit || len(exclude.Executables)+len(include.Executables) > 0,
		common.VarExcludeLoopback:    exclude.Loopback,
		common.VarExcludeCidrs:       len(exclude.CIDRs) > 0,
		common.VarExcludePorts:       len(exclude.Ports) > 0,
		common.VarExcludeExecutables: len(exclude.Executables) > 0,
		common.VarIncludeLoopback:    include.Loopback,
		common.VarIncludeCidrs:       len(include.CIDRs) > 0,
		common.VarIncludePorts:       len(include.Ports) > 0,
		common.VarIncludeExecutables: len(include.Executables) > 0,
		common.VarIncludeCgroups:     include.Cgroup != nil,
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	for variable, wanted := range map[string]bool{common.VarSelfPid: exclude.Self, common.VarIncludePid: include.Self} {
		if wanted {
			if s.variables[variable], err = ownPID(); err != nil {
				return nil, err
			}
		}
	}
	s.variables[common.VarByAddress] = byAddress
	s.variables[common.VarPossibleCPUs] = uint32(cpus)
	s.makeRoom(spec)
	spec.Maps[common.MapCPUOffsets].MaxEntries = uint32(cpus)
	spec.Maps[common.MapRecords].MaxEntries = ringSize
	for _, f := range s.filters(&filters) {
		spec.Maps[f.cidrs].MaxEntries = uint32(len(f.CIDRs) + 1) // and one for all of IPv4
		spec.Maps[f.executables].MaxEntries = uint32(max(1, len(f.Executables)))
	}
	if include.Cgroup != nil {
		spec.Maps[common.MapIncludedCgroups].MaxEntries = maxIncludedCgroups
	}
	for name, m := range spec.Maps {
		if strings.HasPrefix(name, ".") {
			continue // constants differ from object to object
		}
		if s.maps[name], err = ebpf.NewMap(m); err != nil {
			return nil, fmt.Errorf("create map %s: %w", name, err)
		}
	}
	for _, f := range s.filters(&filters) {
		if err := s.fill(f); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// makeRoom sets the sizes of the maps that replace the kernel's storage per object. They stay empty where the kernel has
// it.
func (s *shared) makeRoom(spec *ebpf.CollectionSpec) {
	if s.variables[common.VarByAddress] == false {
		return
	}
	for name, m := range spec.Maps {
		if strings.HasSuffix(name, "_by_address") {
			m.MaxEntries = byAddressEntries
		}
	}
}

// replacements returns the shared maps that an object declares too, and makes its declarations equal to them.
func (s *shared) replacements(spec *ebpf.CollectionSpec) map[string]*ebpf.Map {
	replacements := map[string]*ebpf.Map{}
	for name, m := range s.maps {
		if declared := spec.Maps[name]; declared != nil {
			declared.MaxEntries = m.MaxEntries()
			replacements[name] = m
		}
	}
	return replacements
}

// mappedIPv4 is the range of IPv4 addresses in IPv6.
var mappedIPv4 = netip.MustParsePrefix("::ffff:0.0.0.0/96")

// mappedFilter is a filter with the names of its key and its maps.
type mappedFilter struct {
	*Filter
	key, cidrs, ports, executables string
}

func (*shared) filters(of *Filters) []mappedFilter {
	return []mappedFilter{
		{&of.Exclude, "exclude", common.MapExcludedCidrs, common.MapExcludedPorts, common.MapExcludedExecutables},
		{&of.Include.Filter, "include", common.MapIncludedCidrs, common.MapIncludedPorts, common.MapIncludedExecutables},
	}
}

// fillCIDRs writes the CIDRs into the trie. The longest match says whether the filter has an address. IPv4 addresses are in their
// mapped form, and do not belong to the IPv6 networks around it.
func (s *shared) fillCIDRs(f mappedFilter) error {
	put := func(prefix netip.Prefix, verdict uint8) error {
		length := prefix.Bits()
		if prefix.Addr().Is4() {
			length += mappedIPv4.Bits()
		}
		key := common.CIDR{PrefixLength: uint32(length)}
		key.Address.Octets = prefix.Addr().As16()
		if err := s.maps[f.cidrs].Put(&key, verdict); err != nil {
			return fmt.Errorf("%s CIDR %s: %w", f.key, prefix, err)
		}
		return nil
	}
	if err := put(mappedIPv4, 0); err != nil {
		return err
	}
	for _, cidr := range f.CIDRs {
		if err := put(cidr, 1); err != nil {
			return err
		}
	}
	return nil
}

// present is the value of the entries in a filter's maps.
const present = uint8(1)

func (s *shared) fill(f mappedFilter) error {
	if err := s.fillCIDRs(f); err != nil {
		return err
	}
	for _, name := range f.Executables {
		key := Executable(name).Key()
		if err := s.maps[f.executables].Put(&key, present); err != nil {
			return fmt.Errorf("%s executable %s: %w", f.key, name, err)
		}
	}
	if len(f.Ports) == 0 {
		return nil
	}
	var ports common.Ports
	for _, port := range f.Ports {
		ports.Bits[port/64] |= 1 << (port % 64)
	}
	if err := s.maps[f.ports].Put(uint32(0), &ports); err != nil {
		return fmt.Errorf("%s ports: %w", f.key, err)
	}
	return nil
}

// includeCgroups keeps the map of included cgroups up to date until the set is closed. A cgroup is in the map before a runtime or
// systemd starts a process in it, unless this process gets no CPU in between.
func (s *shared) includeCgroups(containers *kernel.Containers, selected func(kernel.Container) bool, warn func(error)) {
	if selected == nil {
		return
	}
	cgroups := s.maps[common.MapIncludedCgroups]
	s.unwatch = containers.Watch(selected, func(id uint64) {
		if err := cgroups.Put(id, present); err != nil {
			warn(fmt.Errorf("include cgroup %d: %w", id, err))
		}
	})
}

func (s *shared) close() error {
	var errs []error
	if s.unwatch != nil {
		s.unwatch()
	}
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	for name, m := range s.maps {
		if m != nil && !s.borrowed[name] {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// ownPID returns the id of this process as eBPF programs see it. In a pid namespace, getpid returns another one.
func ownPID() (uint32, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name:    "own_pid",
		Type:    ebpf.RawTracepoint,
		License: "Dual BSD/GPL",
		Instructions: asm.Instructions{
			asm.FnGetCurrentPidTgid.Call(),
			asm.RSh.Imm(asm.R0, 32),
			asm.Return(),
		},
	})
	if err != nil {
		return 0, fmt.Errorf("load the program that reads the collector's own process id: %w", err)
	}
	pid, err := p.Run(&ebpf.RunOptions{})
	if err := errors.Join(err, p.Close()); err != nil {
		return 0, fmt.Errorf("ask the kernel for the collector's own process id: %w", err)
	}
	return pid, nil
}
