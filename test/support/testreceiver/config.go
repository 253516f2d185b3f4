// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testreceiver

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/receiver"
)

// defaults shorten the receiver's intervals. A test's own configuration overrides them.
const defaults = `
collection_interval: 100ms
initial_delay: 1ms
events: {flush_interval: 10ms}
`

// load reads and validates a configuration as the collector does. It returns the names of the programs that it added.
func load(factory receiver.Factory, yaml string, together bool) (_ component.Config, added []string, err error) {
	merged := confmap.New()
	for _, text := range []string{defaults, yaml} {
		retrieved, err := confmap.NewRetrievedFromYAML([]byte(text))
		if err != nil {
			return nil, nil, fmt.Errorf("the test's YAML: %w", err)
		}
		conf, err := retrieved.AsConf()
		if err != nil {
			return nil, nil, fmt.Errorf("the test's YAML: %w", err)
		}
		if err := merged.Merge(conf); err != nil {
			return nil, nil, err
		}
	}
	if together {
		if added, err = addPrograms(merged); err != nil {
			return nil, nil, err
		}
	}
	config := factory.CreateDefaultConfig()
	return config, added, errors.Join(merged.Unmarshal(config), confmap.Validate(config))
}

// AllBut returns exclude::cidrs for all addresses except those of the IPv4 prefix and of the barrier, so that other traffic
// of the host is not counted.
func AllBut(kept netip.Prefix) string {
	cidrs := []string{"2000::/3", "fc00::/7", "fe80::/10", "::1/128"}
	for _, p := range without(netip.MustParsePrefix("0.0.0.0/0"), []netip.Prefix{kept, BarrierPrefix}) {
		cidrs = append(cidrs, p.String())
	}
	return "['" + strings.Join(cidrs, "', '") + "']"
}

// without returns the parts of the prefix that are outside of the kept prefixes.
func without(p netip.Prefix, kept []netip.Prefix) []netip.Prefix {
	apart := true
	for _, k := range kept {
		if k.Bits() <= p.Bits() && k.Contains(p.Addr()) {
			return nil
		}
		apart = apart && !k.Overlaps(p)
	}
	if apart {
		return []netip.Prefix{p}
	}
	low := netip.PrefixFrom(p.Addr(), p.Bits()+1)
	b := p.Addr().AsSlice()
	b[p.Bits()/8] |= 0x80 >> (p.Bits() % 8)
	high, _ := netip.AddrFromSlice(b)
	return append(without(low, kept), without(netip.PrefixFrom(high, p.Bits()+1), kept)...)
}
