// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// FilterConfig configures what the programs exclude in the kernel, from both events and metrics.
type FilterConfig struct {
	// Self is the collector's own process.
	Self bool `mapstructure:"self"`
	// Loopback is traffic from and to loopback addresses.
	Loopback bool `mapstructure:"loopback"`
	// CIDRs is traffic from and to the addresses of these networks.
	CIDRs []CIDR `mapstructure:"cidrs"`
	// Ports is traffic from and to these ports.
	Ports []Port `mapstructure:"ports"`
	// Executables is what belongs to processes of these executables.
	Executables []Executable `mapstructure:"executables"`
}

// IncludeConfig configures what the programs include. A key that is not set includes everything. If several keys are set, all must
// match.
type IncludeConfig struct {
	// These are as in FilterConfig. It is not embedded, because errors would have its name in the path of their keys.
	Self        bool         `mapstructure:"self"`
	Loopback    bool         `mapstructure:"loopback"`
	CIDRs       []CIDR       `mapstructure:"cidrs"`
	Ports       []Port       `mapstructure:"ports"`
	Executables []Executable `mapstructure:"executables"`

	// Containers is what belongs to these containers.
	Containers []program.ContainerID `mapstructure:"containers"`
	// Units is what belongs to these systemd units.
	Units []Unit `mapstructure:"units"`
}

// checkFilters returns an error if something is both included and excluded, so that nothing of it is left.
func (c *Config) checkFilters() error {
	var errs []error
	both := func(key, what string) {
		errs = append(errs, fmt.Errorf("include::%s: %s is excluded, too, and `exclude` wins; take it out of one of them", key, what))
	}
	if c.Include.Self && c.Exclude.Self {
		errs = append(errs, errors.New("include::self: the collector's own process is excluded by default, and `exclude` wins; set exclude::self to false"))
	}
	if c.Include.Loopback && c.Exclude.Loopback {
		both("loopback", "loopback traffic")
	}
	for i, cidr := range c.Include.CIDRs {
		if slices.Contains(c.Exclude.CIDRs, cidr) {
			both(fmt.Sprintf("cidrs::%d", i), string(cidr))
		}
	}
	for i, port := range c.Include.Ports {
		if slices.Contains(c.Exclude.Ports, port) {
			both(fmt.Sprintf("ports::%d", i), fmt.Sprint(port))
		}
	}
	for i, name := range c.Include.Executables {
		if slices.Contains(c.Exclude.Executables, name) {
			both(fmt.Sprintf("executables::%d", i), string(name))
		}
	}
	return errors.Join(errs...)
}

func (c *IncludeConfig) filter() *FilterConfig {
	return &FilterConfig{Self: c.Self, Loopback: c.Loopback, CIDRs: c.CIDRs, Ports: c.Ports, Executables: c.Executables}
}

// cgroup returns a function that selects containers and units; nil if all are included.
func (c *IncludeConfig) cgroup() func(kernel.Container) bool {
	if len(c.Containers) == 0 && len(c.Units) == 0 {
		return nil
	}
	return func(container kernel.Container) bool {
		return container.Unit != "" && slices.Contains(c.Units, Unit(container.Unit)) ||
			slices.ContainsFunc(c.Containers, func(id program.ContainerID) bool { return strings.HasPrefix(container.ID, string(id)) })
	}
}

// Unit is the name of a systemd unit, as in nginx.service.
type Unit string

// Validate returns an error if the text is not the name of a unit that has processes.
func (u Unit) Validate() error {
	for _, kind := range []string{".service", ".scope", ".slice"} {
		if name, ok := strings.CutSuffix(string(u), kind); ok && name != "" && !strings.ContainsAny(name, "/*?[") {
			return nil
		}
	}
	return fmt.Errorf("%q is not the name of a unit; write it with its suffix, as in nginx.service, session-1.scope or user-1000.slice", string(u))
}

// Prefixes returns the networks of a valid configuration, those of IPv4-mapped addresses as IPv4.
func (c *FilterConfig) Prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(c.CIDRs))
	for _, cidr := range c.CIDRs {
		if p, err := cidr.prefix(); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// PortNumbers returns the ports of a valid configuration.
func (c *FilterConfig) PortNumbers() []uint16 {
	ports := make([]uint16, len(c.Ports))
	for i, p := range c.Ports {
		ports[i] = uint16(p)
	}
	return ports
}

// ExecutableNames returns the base names of executables.
func (c *FilterConfig) ExecutableNames() []string {
	names := make([]string, len(c.Executables))
	for i, e := range c.Executables {
		names[i] = string(e)
	}
	return names
}

// CIDR is a network such as 10.0.0.0/8 or fd00::/8, or one address.
type CIDR string

// Validate returns an error if the text is neither a network nor an address.
func (c CIDR) Validate() error {
	_, err := c.prefix()
	return err
}

func (c CIDR) prefix() (netip.Prefix, error) {
	if !strings.Contains(string(c), "/") {
		address, err := netip.ParseAddr(string(c))
		if err != nil || address.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("%q is neither a network such as 10.0.0.0/8 or fd00::/8 nor an address", c)
		}
		address = address.Unmap()
		return netip.PrefixFrom(address, address.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(string(c))
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is not a network such as 10.0.0.0/8 or fd00::/8", c)
	}
	// The programs report IPv4-mapped addresses as IPv4, so a network of them is an IPv4 network.
	if mapped := 96; prefix.Addr().Is4In6() && prefix.Bits() >= mapped {
		prefix = netip.PrefixFrom(prefix.Addr().Unmap(), prefix.Bits()-mapped)
	}
	return prefix.Masked(), nil
}

// Port is a TCP or UDP port.
type Port int

// Validate returns an error if the number is not a port.
func (p Port) Validate() error {
	if p < 1 || p > math.MaxUint16 {
		return fmt.Errorf("%d is not a port; ports are 1 to %d", int(p), math.MaxUint16)
	}
	return nil
}

// Executable is the base name of an executable.
type Executable = program.Executable
