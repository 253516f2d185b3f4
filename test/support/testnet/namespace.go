// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package testnet

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// Loopback addresses. Each namespace has them.
var (
	Loopback4 = netip.MustParseAddr("127.0.0.1")
	Loopback6 = netip.MustParseAddr("::1")
)

// Namespace is a network namespace of one test, with its loopback interface up.
type Namespace struct {
	// Inode is the namespace's inode number: the value of ebpf.network.namespace.
	Inode uint64
	// Born is the time of its creation. The kernel reuses inode numbers.
	Born time.Time

	handle netns.NsHandle
	links  *netlink.Handle
}

// NewNamespace makes an empty network namespace. It is removed with the test and its processes.
func NewNamespace(t testing.TB) *Namespace {
	t.Helper()
	ns := &Namespace{Born: time.Now()}
	require.NoError(t, inNewThread(func() (err error) {
		ns.handle, err = netns.New()
		return err
	}), "making a network namespace")
	t.Cleanup(func() { _ = ns.handle.Close() })

	var stat unix.Stat_t
	require.NoError(t, unix.Fstat(int(ns.handle), &stat))
	ns.Inode = stat.Ino

	links, err := netlink.NewHandleAt(ns.handle, unix.NETLINK_ROUTE)
	require.NoError(t, err, "opening rtnetlink in the namespace")
	t.Cleanup(links.Close)
	ns.links = links
	ns.up(t, "lo")
	return ns
}

// Descriptor refers to the namespace when a link is made.
func (n *Namespace) Descriptor() netlink.NsFd { return netlink.NsFd(int(n.handle)) }

// Run runs f on a thread in the namespace. Processes that f starts are in it, too.
func (n *Namespace) Run(f func() error) error {
	return inNewThread(func() error {
		if err := netns.Set(n.handle); err != nil {
			return fmt.Errorf("entering the network namespace: %w", err)
		}
		return f()
	})
}

// Sysctl sets a network setting of this namespace. The name is as for sysctl(8): net.ipv4.tcp_syn_retries.
func (n *Namespace) Sysctl(t testing.TB, name, value string) {
	t.Helper()
	path := filepath.Join("/proc/sys", filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
	require.NoError(t, n.Run(func() error { return os.WriteFile(path, []byte(value), 0o600) }), "setting %s", name)
}

// SysctlIfPresent is Sysctl for a setting that not every kernel has.
func (n *Namespace) SysctlIfPresent(t testing.TB, name, value string) {
	t.Helper()
	path := filepath.Join("/proc/sys", filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
	err := n.Run(func() error { return os.WriteFile(path, []byte(value), 0) })
	if !errors.Is(err, fs.ErrNotExist) {
		require.NoError(t, err, "setting %s", name)
	}
}

// AddAddress adds an address to the interface.
func (n *Namespace) AddAddress(t testing.TB, device string, prefix netip.Prefix) {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err, "interface %s", device)
	address, err := netlink.ParseAddr(prefix.String())
	require.NoError(t, err)
	if prefix.Addr().Is6() {
		// Without duplicate address detection the address can be used at once.
		address.Flags = unix.IFA_F_NODAD
	}
	require.NoError(t, n.links.AddrAdd(link, address), "address %s on %s", prefix, device)
}

func (n *Namespace) up(t testing.TB, device string) {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err, "interface %s", device)
	require.NoError(t, n.links.LinkSetUp(link), "setting %s up", device)
}

// Down sets an interface down.
func (n *Namespace) Down(t testing.TB, device string) {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err, "interface %s", device)
	require.NoError(t, n.links.LinkSetDown(link), "setting %s down", device)
}

func (n *Namespace) carrier(t testing.TB, device string) bool {
	t.Helper()
	link, err := n.links.LinkByName(device)
	require.NoError(t, err, "interface %s", device)
	return link.Attrs().OperState == netlink.OperUp
}
