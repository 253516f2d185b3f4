// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"context"
	"fmt"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// InMountNamespace starts the agent in a mount namespace of its own, for Replace.
func InMountNamespace() Option { return func(s *start) { s.mountNamespace = true } }

type replaceArgs struct{ File, With string }

var replace = Define("file.replace", func(args replaceArgs) (Nothing, error) {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return Nothing{}, fmt.Errorf("make mounts private: %w", err)
	}
	return Nothing{}, unix.Mount(args.With, args.File, "", unix.MS_BIND, "")
})

// Replace shows the agent another file in the place of one. It needs InMountNamespace.
func (a *Agent) Replace(file, with string) {
	a.t.Helper()
	replace.Call(a, replaceArgs{file, with})
}

// Resolved is the result of a look-up.
type Resolved struct {
	Span
	Addresses []string
	// Failed is the error, if there was one.
	Failed string
}

var resolve = Define("dns.resolve", func(name string) (r Resolved, err error) {
	resolver := net.Resolver{PreferGo: true}
	r.Start = time.Now()
	r.Addresses, err = resolver.LookupHost(context.Background(), name)
	r.End = time.Now()
	if err != nil {
		r.Failed = err.Error()
	}
	return r, nil
})

// Resolve looks up the addresses of a name by Go's own resolver, with the settings of /etc/resolv.conf.
func (a *Agent) Resolve(name string) Resolved {
	a.t.Helper()
	return resolve.Call(a, name)
}
