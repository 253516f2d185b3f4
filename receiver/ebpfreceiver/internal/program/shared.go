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
)

// Exclude is what the BPF side of all programs leaves out.
type Exclude struct {
	Self        bool
	Loopback    bool
	CIDRs       []netip.Prefix
	Ports       []uint16
	Executables []string
}

// shared has the maps that all programs use. They are equal in every object, so one set serves all programs.
type shared struct {
	maps      map[string]*ebpf.Map
	variables map[string]any
	// listener is the function that updates a listener; nil if no program reports listeners.
	listener *ebpf.Program
}

// byAddressEntries is how many objects, such as sockets, are tracked where the kernel has no storage for this kind of
// object.
const byAddressEntries = 32768

// betweenQueries is more than a CPU writes to the ring between two of its queries for the ring's use, in bytes: 16 records.
const betweenQueries = 16 * 1024

func newShared(ringSize uint32, exclude Exclude, emit, byAddress bool) (_ *shared, err error) {
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
		// The BPF side reads names of processes for events, and to compare them with the excluded ones.
		common.VarReadNames:          emit || len(exclude.Executables) > 0,
		common.VarExcludeLoopback:    exclude.Loopback,
		common.VarExcludeCidrs:       len(exclude.CIDRs) > 0,
		common.VarExcludePorts:       len(exclude.Ports) > 0,
		common.VarExcludeExecutables: len(exclude.Executables) > 0,
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if exclude.Self {
		pid, err := ownPID()
		if err != nil {
			return nil, err
		}
		s.variables[common.VarSelfPid] = pid
	}
	s.variables[common.VarByAddress] = byAddress
	s.makeRoom(spec)
	spec.Maps[common.MapCPUOffsets].MaxEntries = uint32(cpus)
	spec.Maps[common.MapRecords].MaxEntries = ringSize
	spec.Maps[common.MapExcludedCidrs].MaxEntries = uint32(len(exclude.CIDRs) + 1) // and one for all of IPv4
	spec.Maps[common.MapExcludedExecutables].MaxEntries = uint32(max(1, len(exclude.Executables)))
	for name, m := range spec.Maps {
		if strings.HasPrefix(name, ".") {
			continue // constants differ from object to object
		}
		if s.maps[name], err = ebpf.NewMap(m); err != nil {
			return nil, fmt.Errorf("create map %s: %w", name, err)
		}
	}
	return s, s.fill(exclude)
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

// excludeCIDRs writes the CIDRs into the trie. The longest match says whether an address is left out. IPv4 addresses are
// in their mapped form, and do not belong to the IPv6 networks around it.
func (s *shared) excludeCIDRs(cidrs []netip.Prefix) error {
	put := func(prefix netip.Prefix, verdict uint8) error {
		length := prefix.Bits()
		if prefix.Addr().Is4() {
			length += mappedIPv4.Bits()
		}
		key := common.CIDR{PrefixLength: uint32(length)}
		key.Address.Octets = prefix.Addr().As16()
		if err := s.maps[common.MapExcludedCidrs].Put(&key, verdict); err != nil {
			return fmt.Errorf("exclude CIDR %s: %w", prefix, err)
		}
		return nil
	}
	if err := put(mappedIPv4, 0); err != nil {
		return err
	}
	for _, cidr := range cidrs {
		if err := put(cidr, 1); err != nil {
			return err
		}
	}
	return nil
}

func (s *shared) fill(exclude Exclude) error {
	const present = uint8(1)
	if err := s.excludeCIDRs(exclude.CIDRs); err != nil {
		return err
	}
	for _, name := range exclude.Executables {
		key := Executable(name).Key()
		if err := s.maps[common.MapExcludedExecutables].Put(&key, present); err != nil {
			return fmt.Errorf("exclude executable %s: %w", name, err)
		}
	}
	if len(exclude.Ports) == 0 {
		return nil
	}
	var ports common.Ports
	for _, port := range exclude.Ports {
		ports.Bits[port/64] |= 1 << (port % 64)
	}
	if err := s.maps[common.MapExcludedPorts].Put(uint32(0), &ports); err != nil {
		return fmt.Errorf("exclude ports: %w", err)
	}
	return nil
}

func (s *shared) close() error {
	var errs []error
	if s.listener != nil {
		errs = append(errs, s.listener.Close())
	}
	for _, m := range s.maps {
		if m != nil {
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
