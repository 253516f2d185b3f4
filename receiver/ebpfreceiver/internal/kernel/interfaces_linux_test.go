// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
)

func TestInterfaces(t *testing.T) {
	all, err := Interfaces()
	require.NoError(t, err)
	require.NotEmpty(t, all)
	for index, i := range all {
		assert.Equal(t, index, i.Index)
		assert.NotEmpty(t, i.Name)
		if i.Name == "lo" {
			assert.True(t, i.Ethernet)
			assert.False(t, i.Master)
		}
	}
}

// receives reports whether the channel has a value within some time.
func receives(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	case <-time.After(5 * time.Second):
		return false
	}
}

func TestInterfaceChanges(t *testing.T) {
	need(t, os.Geteuid() == 0, "only root makes network interfaces")
	changes, err := WatchInterfaces()
	require.NoError(t, err)
	device := netlink.NewVeth(netlink.LinkAttrs{Name: fmt.Sprint("kd", os.Getpid())})
	device.PeerName = device.Name + "-peer"
	require.NoError(t, netlink.LinkAdd(device))
	assert.True(t, receives(changes.C), "interface added")
	all, err := Interfaces()
	require.NoError(t, err)
	link, err := netlink.LinkByName(device.Name)
	require.NoError(t, err)
	index := link.Attrs().Index
	assert.Equal(t, Interface{Index: index, Name: device.Name, Ethernet: true}, all[index])
	require.NoError(t, netlink.LinkDel(device))
	assert.True(t, receives(changes.C), "interface removed")
	changes.Close()
}
