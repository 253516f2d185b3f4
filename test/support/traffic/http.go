// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package traffic

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"syscall"

	"golang.org/x/sys/unix"
)

// HTTPServer is a running server of Go's standard library.
type HTTPServer struct {
	Address netip.AddrPort
	// MPTCP says that its listener is a Multipath TCP socket, which is Go's default if the kernel supports it.
	MPTCP bool
}

var serveHTTP = Define("http.serve", func(address netip.AddrPort) (HTTPServer, error) {
	listener, err := net.Listen("tcp", address.String())
	if err != nil {
		return HTTPServer{}, err
	}
	raw, err := listener.(*net.TCPListener).SyscallConn()
	if err != nil {
		return HTTPServer{}, err
	}
	protocol, err := option(raw, unix.SO_PROTOCOL)
	if err != nil {
		return HTTPServer{}, err
	}
	go func() {
		_ = http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = io.WriteString(w, "hello")
		}))
	}()
	return HTTPServer{
		Address: listener.Addr().(*net.TCPAddr).AddrPort(),
		MPTCP:   protocol == unix.IPPROTO_MPTCP,
	}, nil
})

func option(raw syscall.RawConn, name int) (value int, err error) {
	if e := raw.Control(func(fd uintptr) { value, err = unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, name) }); e != nil {
		return 0, e
	}
	return value, err
}

// ServeHTTP runs a net/http server in the agent until it ends.
func (a *Agent) ServeHTTP(address netip.AddrPort) HTTPServer {
	a.t.Helper()
	return serveHTTP.Call(a, address)
}

type getArgs struct {
	Address netip.AddrPort
	Count   int
}

var getHTTP = Define("http.get", func(args getArgs) (Nothing, error) {
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	for range args.Count {
		response, err := client.Get("http://" + args.Address.String())
		if err != nil {
			return Nothing{}, err
		}
		body, err := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if err != nil || string(body) != "hello" {
			return Nothing{}, fmt.Errorf("body %q: %w", body, err)
		}
	}
	return Nothing{}, nil
})

// GetHTTP sends that many requests, each over a new connection.
func (a *Agent) GetHTTP(address netip.AddrPort, count int) {
	a.t.Helper()
	getHTTP.Call(a, getArgs{Address: address, Count: count})
}
