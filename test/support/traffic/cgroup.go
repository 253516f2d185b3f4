// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
)

type cgroupsArgs struct {
	// Dir is the directory of the parent cgroup, Home that of the cgroup to return to.
	Dir, Home string
	Count     int
	Address   netip.AddrPort
}

var connectFromCgroups = Define("cgroups.connect", func(args cgroupsArgs) (Nothing, error) {
	move := func(dir string) error {
		return os.WriteFile(filepath.Join(dir, "cgroup.procs"), []byte("0"), 0o600)
	}
	for i := range args.Count {
		dir := filepath.Join(args.Dir, strconv.Itoa(i))
		if err := os.Mkdir(dir, 0o755); err != nil {
			return Nothing{}, err
		}
		fd, err := socketFor(args.Address.Addr(), unix.SOCK_STREAM, unix.IPPROTO_TCP)
		err = errors.Join(err, move(dir))
		if connected := unix.Connect(fd, toSockaddr(args.Address)); !errors.Is(connected, unix.ECONNREFUSED) {
			err = errors.Join(err, connected, errors.New("the connection should have been refused"))
		}
		if err := errors.Join(err, unix.Close(fd), move(args.Home), unix.Rmdir(dir)); err != nil {
			return Nothing{}, err
		}
	}
	return Nothing{}, nil
})

// ConnectFromCgroups connects count times to a closed port, each time from a new cgroup below the given one.
func (a *Agent) ConnectFromCgroups(inside *testhost.Cgroup, count int, to netip.AddrPort) {
	a.t.Helper()
	root := testhost.CgroupRoot(a.t)
	connectFromCgroups.Call(a, cgroupsArgs{
		Dir: filepath.Join(root, inside.Path), Home: root, Count: count, Address: to,
	})
}
