// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestDefaultConfig(t *testing.T) {
	c := defaultConfig()
	require.NoError(t, c.Validate())
	assert.True(t, c.Events)
	assert.Nil(t, c.EventLimit)
	assert.True(t, c.Has(TCP))
	assert.True(t, c.Has(UDP))
	assert.Zero(t, c.MergeWithin)
	assert.False(t, c.Has(Unix), "it slows down every syscall of the host, so it must be asked for")
}

func TestConfigValidate(t *testing.T) {
	zero := 0
	for _, tt := range []struct {
		name      string
		protocols []Protocol
		limit     *int
		want      []string
	}{
		{name: "all", protocols: []Protocol{TCP, UDP, Unix}},
		{name: "one", protocols: []Protocol{Unix}},
		{name: "none", protocols: []Protocol{}, want: []string{
			"protocols: none is listed; list at least one of tcp, udp, unix, or leave the key out for tcp and udp",
		}},
		{name: "unknown", protocols: []Protocol{TCP, "TCP"}, want: []string{`protocols::1: "TCP" is not one of tcp, udp, unix`}},
		{name: "twice", protocols: []Protocol{TCP, UDP, TCP}, want: []string{`protocols::2: "tcp" is listed twice`}},
		{name: "all faults at once", protocols: []Protocol{"sctp", UDP, UDP}, limit: &zero, want: []string{
			"event_limit: 0 is not a positive number",
			`protocols::0: "sctp" is not one of tcp, udp, unix`,
			`protocols::2: "udp" is listed twice`,
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := defaultConfig()
			c.Protocols = tt.protocols
			c.EventLimit = tt.limit
			err := c.Validate()
			if len(tt.want) == 0 {
				require.NoError(t, err)
			}
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
		})
	}
}
