// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"fmt"
	"math"
	"net/netip"
	"strings"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// ExcludeConfig configures what the programs exclude in the kernel, from both events and metrics.
type ExcludeConfig struct {
	// Self excludes the collector's own process.
	Self bool `mapstructure:"self"`
	// Loopback excludes traffic from and to loopback addresses.
	Loopback bool `mapstructure:"loopback"`
	// CIDRs excludes traffic from and to the addresses of these networks.
	CIDRs []CIDR `mapstructure:"cidrs"`
	// Ports excludes traffic from and to these ports.
	Ports []Port `mapstructure:"ports"`
	// Executables excludes what belongs to processes of these executables.
	Executables []Executable `mapstructure:"executables"`
}

// Prefixes returns the networks of a valid configuration, those of IPv4-mapped addresses as IPv4.
func (c *ExcludeConfig) Prefixes() []netip.Prefix {
	prefixes := make([]netip.Prefix, 0, len(c.CIDRs))
	for _, cidr := range c.CIDRs {
		if p, err := cidr.prefix(); err == nil {
			prefixes = append(prefixes, p)
		}
	}
	return prefixes
}

// PortNumbers returns the ports of a valid configuration.
func (c *ExcludeConfig) PortNumbers() []uint16 {
	ports := make([]uint16, len(c.Ports))
	for i, p := range c.Ports {
		ports[i] = uint16(p)
	}
	return ports
}

// ExecutableNames returns the base names of executables.
func (c *ExcludeConfig) ExecutableNames() []string {
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
