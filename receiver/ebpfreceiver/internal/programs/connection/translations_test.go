// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package connection

import (
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/connection"
)

const (
	ownNamespace   = 4026531840
	otherNamespace = 4026532001
)

var (
	pod     = netip.MustParseAddrPort("10.0.0.7:40000")
	service = netip.MustParseAddrPort("10.96.0.10:80")
	backend = netip.MustParseAddrPort("10.0.1.9:8080")
)

// conntrack is what a fake kernel tracks, by namespaces; 0 is the receiver's own.
type conntrack struct {
	backends map[uint32]netip.AddrPort
	asked    []uint32
	took     time.Duration
	err      error
	now      time.Time
}

func (c *conntrack) translations() *translations {
	c.now = time.Unix(1000, 0)
	return &translations{
		own:    ownNamespace,
		tracks: func() bool { return c.backends[0].IsValid() },
		lookup: func(namespace, _ uint32, protocol uint8, client, server netip.AddrPort) (netip.AddrPort, bool, error) {
			c.asked = append(c.asked, namespace)
			c.now = c.now.Add(c.took)
			to := c.backends[namespace]
			return to, to.IsValid() && protocol == tcp && client == pod && server == service, c.err
		},
		now:    func() time.Time { return c.now },
		logger: zap.NewNop(),
	}
}

func toService(change func(*bpf.ConnectionEvent)) *bpf.ConnectionEvent {
	e := &bpf.ConnectionEvent{Transport: tcp, Role: uint8(common.RoleClient), Netns: ownNamespace, Hooked: true}
	e.Flow.LocalPort, e.Flow.RemotePort = pod.Port(), service.Port()
	change(e)
	return e
}

// Who has refused a connection on this host is in its event. Conntrack has forgotten it.
func TestTranslationOfRefusedConnection(t *testing.T) {
	kernel := conntrack{}
	e := toService(func(e *bpf.ConnectionEvent) {
		e.RefusedBy.Address.Octets, e.RefusedBy.Port = backend.Addr().As16(), backend.Port()
	})
	to, ok := kernel.translations().of(e, pod.Addr(), service.Addr())
	assert.True(t, ok)
	assert.Equal(t, backend, to)
	assert.Empty(t, kernel.asked)
}

func TestTranslations(t *testing.T) {
	for name, tt := range map[string]struct {
		kernel conntrack
		event  func(*bpf.ConnectionEvent)
		asked  []uint32
		ok     bool
	}{
		"of a process of the host": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}}, event: func(*bpf.ConnectionEvent) {},
			asked: []uint32{0}, ok: true,
		},
		"nothing looks at what the host sends": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}}, event: func(e *bpf.ConnectionEvent) { e.Hooked = false },
		},
		"in the container's namespace": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{otherNamespace: backend}},
			event:  func(e *bpf.ConnectionEvent) { e.Netns = otherNamespace },
			asked:  []uint32{otherNamespace}, ok: true,
		},
		"by the host, for a container": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}},
			event:  func(e *bpf.ConnectionEvent) { e.Netns, e.Hooked = otherNamespace, false },
			asked:  []uint32{0}, ok: true,
		},
		"by the host, for a container that has rules of its own": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}},
			event:  func(e *bpf.ConnectionEvent) { e.Netns = otherNamespace },
			asked:  []uint32{otherNamespace, 0}, ok: true,
		},
		"nothing is tracked": {
			event: func(e *bpf.ConnectionEvent) { e.Netns, e.Hooked = otherNamespace, false },
		},
		"a server's side": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}},
			event:  func(e *bpf.ConnectionEvent) { e.Role = roleServer },
		},
		"a port that is not known yet": {
			kernel: conntrack{backends: map[uint32]netip.AddrPort{0: backend}},
			event:  func(e *bpf.ConnectionEvent) { e.Flow.LocalPort = 0 },
		},
	} {
		t.Run(name, func(t *testing.T) {
			to, ok := tt.kernel.translations().of(toService(tt.event), pod.Addr(), service.Addr())
			assert.Equal(t, tt.ok, ok)
			assert.Equal(t, tt.asked, tt.kernel.asked)
			if ok {
				assert.Equal(t, backend, to)
			}
		})
	}
}

// Requests take at most a share of the time, at any rate of connections.
func TestTranslationsAreBounded(t *testing.T) {
	kernel := conntrack{backends: map[uint32]netip.AddrPort{0: backend}, took: time.Millisecond}
	tr := kernel.translations()
	begin := kernel.now
	for kernel.now.Sub(begin) < 10*time.Second {
		tr.of(toService(func(*bpf.ConnectionEvent) {}), pod.Addr(), service.Addr())
		kernel.now = kernel.now.Add(100 * time.Microsecond)
	}
	assert.InDelta(t, 10_000/translationShare+100, len(kernel.asked), 10)
}

func TestTranslationsThatFailWarnOnce(t *testing.T) {
	kernel := conntrack{backends: map[uint32]netip.AddrPort{0: {}}, err: errors.New("not allowed")}
	tr := kernel.translations()
	core, logs := observer.New(zap.WarnLevel)
	tr.logger = zap.New(core)
	for range 3 {
		_, ok := tr.of(toService(func(*bpf.ConnectionEvent) {}), pod.Addr(), service.Addr())
		assert.False(t, ok)
	}
	assert.Equal(t, 1, logs.Len())
}
