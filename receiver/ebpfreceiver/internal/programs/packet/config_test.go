// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package packet

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// on returns the default configuration with interfaces.
func on(interfaces ...string) *Config {
	c := defaultConfig()
	c.Interfaces = interfaces
	return c
}

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.ErrorContains(t, c.Validate(), "interfaces: none is listed", "there is no default interface")
	require.NoError(t, on("eth0").Validate())
	assert.True(t, c.Events)
	assert.Equal(t, 1000, c.SampleEvery)
	require.NotNil(t, c.EventLimit, "a flood must not become a flood of events")
	assert.Equal(t, 1000, *c.EventLimit)
}

// All errors are returned at once.
func TestValidate(t *testing.T) {
	c := on("eth0", "veth[", "eth0:1", strings.Repeat("x", 16), "", "*")
	c.SampleEvery, *c.EventLimit = -1, 0
	err := c.Validate()
	for _, text := range []string{
		"event_limit: 0 is not a positive number",
		`interfaces::1: "veth[" is not a pattern`,
		`interfaces::2: "eth0:1" is not a name of a network interface`,
		`interfaces::3: "xxxxxxxxxxxxxxxx" is not a name of a network interface`,
		`interfaces::4: "" is not a name of a network interface`,
		"sample_every: -1 is not a number of packets from 1 to 1000000000; leave the key out for 1000, or set events: false",
	} {
		require.ErrorContains(t, err, text)
	}
	assert.NotContains(t, err.Error(), "interfaces::0")
	assert.NotContains(t, err.Error(), "interfaces::5")
	for _, valid := range []string{"lo", "enp0s31f6", "eth0.100", "wlan-0", "veth*", "eth[0-3]", "??", "123456789012345"} {
		assert.NoError(t, on(valid).Validate(), valid)
	}
}

func TestChooses(t *testing.T) {
	c := on("eth0", "veth*", "en[ps]?")
	for name, want := range map[string]bool{
		"eth0": true, "eth1": false, "eth00": false, "veth": true, "veth1a2b": true, "xveth": false, "enp1": true, "eno1": false, "enp12": false,
	} {
		assert.Equal(t, want, c.chooses(name), name)
	}
	assert.Equal(t, []string{"eth0"}, c.named(), "patterns need not match an interface")
}
