// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"context"
	"net"
	"strings"

	"go.opentelemetry.io/collector/config/confighttp"
	"go.uber.org/zap"
)

// listen listens at the endpoint. localhost has two addresses, and browsers try [::1] first. Without a listener there, each of their
// requests would begin with a refused connection, which would be an event.
func listen(ctx context.Context, server *confighttp.ServerConfig, logger *zap.Logger) ([]net.Listener, error) {
	first, err := server.ToListener(ctx)
	if err != nil {
		return nil, err
	}
	listeners := []net.Listener{first}
	at, isTCP := first.Addr().(*net.TCPAddr)
	if !isTCP || !strings.HasPrefix(server.NetAddr.Endpoint, "localhost:") {
		return listeners, nil
	}
	other := net.TCPAddr{IP: net.IPv6loopback, Port: at.Port}
	if at.IP.To4() == nil {
		other.IP = net.IPv4(127, 0, 0, 1)
	}
	both := *server
	both.NetAddr.Endpoint = other.String()
	if second, err := both.ToListener(ctx); err == nil {
		listeners = append(listeners, second)
	} else {
		logger.Info("Cannot listen on the other address of localhost; clients will use this one", zap.Error(err))
	}
	return listeners, nil
}
