// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package batch

import (
	"net/netip"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
)

const second = uint64(time.Second)

var (
	here, there = netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")
	one, other  = &common.Owner{Pid: 1}, &common.Owner{Pid: 2}
)

func TestDomainsAreOfTheProcess(t *testing.T) {
	d := NewDomains()
	assert.Empty(t, d.Get(one, here, 1))
	d.Learn(one, "a.test", here, second, time.Hour)
	d.Learn(other, "b.test", here, second, time.Hour)
	d.Learn(&common.Owner{}, "c.test", there, second, time.Hour)
	assert.Equal(t, "a.test", d.Get(one, here, second))
	assert.Equal(t, "b.test", d.Get(other, here, second))
	assert.Empty(t, d.Get(one, there, second))
	assert.Empty(t, d.Get(&common.Owner{}, there, second))
	executed := &common.Owner{Pid: 1, Executable: [48]int8{'x'}}
	assert.Empty(t, d.Get(executed, here, second), "another program, or a process that has got the id later")
}

func TestDomainsExpire(t *testing.T) {
	d := NewDomains()
	d.Learn(one, "a.test", here, second, time.Second)
	d.Learn(one, "b.test", there, second, 10*time.Minute)
	assert.Equal(t, "a.test", d.Get(one, here, 61*second))
	assert.Empty(t, d.Get(one, here, 61*second+1))
	assert.Equal(t, "b.test", d.Get(one, there, 601*second))
	assert.Empty(t, d.Get(one, there, 601*second+1))
	d.Learn(one, "a.test", here, 600*second, time.Second)
	assert.Equal(t, "a.test", d.Get(one, here, 660*second))
}

// While two names of an address are valid, it has none.
func TestAmbiguousDomains(t *testing.T) {
	for name, first := range map[string]time.Duration{"the first one is valid longer": 20 * time.Minute, "the second one is valid longer": 5 * time.Minute} {
		t.Run(name, func(t *testing.T) {
			d := NewDomains()
			d.Learn(one, "a.test", here, 0, first)
			d.Learn(one, "A.tesT", here, second, time.Minute)
			assert.NotEmpty(t, d.Get(one, here, second), "the same name")
			d.Learn(one, "b.test", here, 2*second, 10*time.Minute)
			assert.Empty(t, d.Get(one, here, 3*second))
			d.Learn(one, "b.test", here, 4*second, 10*time.Minute)
			assert.Empty(t, d.Get(one, here, 5*second))
			left, at := "b.test", 603*second
			if first > 10*time.Minute {
				left, at = "A.tesT", 605*second
			}
			assert.Equal(t, left, d.Get(one, here, at))
		})
	}
}

func TestDomainsAreBounded(t *testing.T) {
	d := NewDomains()
	for i := range 2 * maxDomains {
		d.Learn(&common.Owner{Pid: uint32(i + 1)}, strconv.Itoa(i), here, 1, time.Hour)
		assert.LessOrEqual(t, len(d.known), maxDomains)
	}
	d.Learn(one, "short.test", here, 1, time.Minute)
	for i := range maxDomains {
		d.Learn(&common.Owner{Pid: uint32(i + 100)}, strconv.Itoa(i), there, uint64(time.Hour)-1, time.Hour)
	}
	assert.LessOrEqual(t, len(d.known), maxDomains)
}
