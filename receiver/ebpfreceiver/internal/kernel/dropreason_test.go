// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/cilium/ebpf/btf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func coreReasons() *btf.Enum {
	return enumOf("skb_drop_reason",
		"SKB_NOT_DROPPED_YET", 0, "SKB_CONSUMED", 1, "SKB_DROP_REASON_NOT_SPECIFIED", 2, "SKB_DROP_REASON_NO_SOCKET", 3,
		"SKB_DROP_REASON_QDISC_DROP", 5, "SKB_DROP_REASON_MAX", 6, "SKB_DROP_REASON_SUBSYS_MASK", 0xffff0000)
}

func subsystems() *btf.Enum {
	return enumOf("skb_drop_reason_subsys",
		"SKB_DROP_REASON_SUBSYS_CORE", 0, "SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE", 1,
		"SKB_DROP_REASON_SUBSYS_OPENVSWITCH", 3, "SKB_DROP_REASON_SUBSYS_NUM", 4)
}

func wirelessReasons() *btf.Enum {
	return enumOf("mac80211_drop_reason",
		"RX_CONTINUE", 1, "RX_QUEUED", 0, "RX_DROP_UNUSABLE", 1<<16, "RX_DROP_U_MIC_FAIL", 1<<16|1, "RX_DROP_U_REPLAY", 1<<16|2)
}

func switchReasons() *btf.Enum {
	return enumOf("ovs_drop_reason",
		"__OVS_DROP_REASON", 3<<16, "OVS_DROP_LAST_ACTION", 3<<16|1, "OVS_DROP_ACTION_ERROR", 3<<16|2, "OVS_DROP_MAX", 3<<16|3)
}

// moduleBTF has the core's reasons in the kernel, and each subsystem's in its module if that is loaded.
func moduleBTF(t *testing.T, modules map[string]*btf.Spec) *BTF {
	return &BTF{
		types: specOf(t, coreReasons(), subsystems()),
		module: func(name string) (*btf.Spec, error) {
			if spec := modules[name]; spec != nil {
				return spec, nil
			}
			return nil, errors.New("not loaded")
		},
	}
}

func TestDropReasonNames(t *testing.T) {
	builtIn := &BTF{external: true, types: specOf(t, coreReasons(), subsystems(), wirelessReasons(), switchReasons())}
	modules := moduleBTF(t, map[string]*btf.Spec{
		"mac80211": specOf(t, wirelessReasons()), "openvswitch": specOf(t, switchReasons()),
	})
	for name, b := range map[string]*BTF{"built in": builtIn, "modules": modules} {
		t.Run(name, func(t *testing.T) {
			d := b.DropReasons()
			assert.True(t, d.HasReasons())
			for _, tc := range []struct {
				reason          uint32
				name, subsystem string
			}{
				{0, "not_dropped_yet", "core"},
				{1, "consumed", "core"},
				{2, "not_specified", "core"},
				{3, "no_socket", "core"},
				{4, "4", "core"},
				{5, "qdisc_drop", "core"},
				{6, "6", "core"}, // the number of reasons is not a reason
				{1 << 16, "unusable", "mac80211_unusable"},
				{1<<16 | 1, "u_mic_fail", "mac80211_unusable"},
				{1<<16 | 3, "65539", "mac80211_unusable"},
				{2<<16 | 1, "131073", ""},
				{3 << 16, "196608", "openvswitch"},
				{3<<16 | 1, "last_action", "openvswitch"},
				{3<<16 | 2, "action_error", "openvswitch"},
				{3<<16 | 3, "196611", "openvswitch"},
				{4<<16 | 1, "262145", ""},
				{0xffff0000, "4294901760", ""},
			} {
				name, subsystem := d.Name(tc.reason)
				assert.Equal(t, tc.name, name, "reason %#x", tc.reason)
				assert.Equal(t, tc.subsystem, subsystem, "reason %#x", tc.reason)
			}
		})
	}
}

func TestDropReasonsOfOlderKernels(t *testing.T) {
	// 5.17: reasons, but no subsystems yet.
	d := (&BTF{external: true, types: specOf(t, enumOf("skb_drop_reason",
		"SKB_DROP_REASON_NOT_SPECIFIED", 0, "SKB_DROP_REASON_NO_SOCKET", 1, "SKB_DROP_REASON_MAX", 2))}).DropReasons()
	assert.True(t, d.HasReasons())
	name, subsystem := d.Name(1)
	assert.Equal(t, "no_socket", name)
	assert.Empty(t, subsystem)

	// 5.16 and older: none.
	d = (&BTF{external: true, types: specOf(t, enumOf("color", "RED", 1))}).DropReasons()
	assert.False(t, d.HasReasons())
	name, subsystem = d.Name(1)
	assert.Equal(t, "1", name)
	assert.Empty(t, subsystem)
}

func TestDropReasonsOfAModuleLoadedLater(t *testing.T) {
	d := moduleBTF(t, nil).DropReasons()
	now := time.Unix(1000, 0)
	d.now, d.reloadedAt = func() time.Time { return now }, now
	reloads := 0
	d.reload = func(subsystem string, number uint32) []string {
		reloads++
		return moduleBTF(t, map[string]*btf.Spec{"openvswitch": specOf(t, switchReasons())}).subsystemReasons(subsystem, number)
	}

	name, subsystem := d.Name(3<<16 | 1)
	assert.Equal(t, "196609", name, "the last refresh is too recent")
	assert.Equal(t, "openvswitch", subsystem)
	assert.Zero(t, reloads)

	now = now.Add(refreshInterval)
	name, _ = d.Name(1<<16 | 1)
	assert.Equal(t, "65537", name, "mac80211 is still not loaded")
	name, _ = d.Name(3<<16 | 1)
	assert.Equal(t, "196609", name, "one refresh per interval")
	assert.Equal(t, 1, reloads)

	now = now.Add(refreshInterval)
	name, _ = d.Name(3<<16 | 1)
	assert.Equal(t, "last_action", name)
	name, _ = d.Name(3<<16 | 2)
	assert.Equal(t, "action_error", name)
	assert.Equal(t, 2, reloads)
}

func TestDropReasonsAreBounded(t *testing.T) {
	d := newDropReasons(nil)
	for i := range uint32(maxUnknownReasons + 100) {
		name, _ := d.Name(i << 16)
		require.NotEmpty(t, name)
	}
	assert.Len(t, d.unknown, maxUnknownReasons)

	huge := (&BTF{external: true, types: specOf(t,
		enumOf("skb_drop_reason", "SKB_DROP_REASON_A", 1, "SKB_DROP_REASON_B", 0xffff),
		enumOf("skb_drop_reason_subsys", "SKB_DROP_REASON_SUBSYS_CORE", 0, "SKB_DROP_REASON_SUBSYS_C", 0x7fffffff),
	)}).DropReasons()
	assert.Len(t, huge.subsystems, 1)
	assert.Len(t, *huge.subsystems[0].reasons.Load(), 2)
}

func TestDropReasonAllocations(t *testing.T) {
	d := (&BTF{external: true, types: specOf(t, coreReasons(), subsystems(), switchReasons())}).DropReasons()
	for _, reason := range []uint32{3, 3<<16 | 1, 99, 1<<16 | 1, 1 << 31} {
		d.Name(reason)
		noAllocations(t, func() { d.Name(reason) })
	}
}

func TestDropReasonsConcurrently(t *testing.T) {
	d := moduleBTF(t, nil).DropReasons()
	d.reloadedAt = time.Time{}
	d.reload = func(string, uint32) []string { return []string{"", "last_action"} }
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range uint32(1000) {
				d.Name(3<<16 | i)
				d.HasReasons()
			}
		})
	}
	wg.Wait()
	name, _ := d.Name(3<<16 | 1)
	assert.Equal(t, "last_action", name)
}

func TestDropReasonsOfTheKernel(t *testing.T) {
	b := kernelBTF(t)
	d := b.DropReasons()
	noSocket, ok := b.EnumValue("skb_drop_reason", "SKB_DROP_REASON_NO_SOCKET")
	require.Equal(t, ok, d.HasReasons())
	if !ok {
		return // before Linux 5.17 there are none
	}
	name, subsystem := d.Name(uint32(noSocket))
	assert.Equal(t, "no_socket", name)
	if _, ok := b.EnumValue("skb_drop_reason_subsys", "SKB_DROP_REASON_SUBSYS_CORE"); ok {
		assert.Equal(t, "core", subsystem)
	}
	for i := range uint32(5) {
		name, _ := d.Name(uint32(noSocket) + i)
		assert.NotRegexp(t, "^[0-9]|drop_reason|[A-Z]", name)
	}
}

func BenchmarkDropReasonName(b *testing.B) {
	d := kernelBTF(b).DropReasons()
	b.ReportAllocs()
	for b.Loop() {
		d.Name(3)
	}
}
