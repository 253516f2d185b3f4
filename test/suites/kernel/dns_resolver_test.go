// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// unreliable is a name server that does not answer the first queries for a name and type. It is the ground truth of retries.
type unreliable struct {
	mu      sync.Mutex
	ignored int // first queries that it does not answer
	queries map[string][]time.Time
	answers map[string]time.Time
}

func (u *unreliable) answer(t *testing.T, query []byte) [][]byte {
	arrived := time.Now()
	m := replying(t, query, dns.RcodeSuccess)
	kind := dns.TypeToString[m.Question[0].Qtype]
	u.mu.Lock()
	defer u.mu.Unlock()
	u.queries[kind] = append(u.queries[kind], arrived)
	if len(u.queries[kind]) <= u.ignored {
		return nil
	}
	if _, ok := u.answers[kind]; !ok {
		u.answers[kind] = arrived
	}
	record, err := dns.NewRR(fmt.Sprintf("%s 60 IN %s %s", m.Question[0].Name, kind, resolverAnswers[kind]))
	if !assert.NoError(t, err) {
		return nil
	}
	m.Answer = append(m.Answer, record)
	return [][]byte{packed(t, m)}
}

var resolverAnswers = map[string]string{"A": "192.0.2.77", "AAAA": "2001:db8::77"}

// resolvers are those that most processes use, with settings in a file. Each looks up both families of addresses.
var resolvers = []struct {
	name string
	// resolve returns the process.
	resolve func(t *testing.T, ns *testnet.Namespace, settings, name string) (pid int)
}{
	{"Go", func(t *testing.T, ns *testnet.Namespace, settings, name string) int {
		a := traffic.Start(t, ns, traffic.InMountNamespace())
		a.Replace("/etc/resolv.conf", settings)
		a.Resolve(name)
		return a.PID
	}},
	{"C library", func(t *testing.T, ns *testnet.Namespace, settings, name string) int {
		for _, tool := range []string{"getent", "unshare", "mount"} {
			if _, err := exec.LookPath(tool); err != nil {
				testenv.Missing(t, tool+" is not installed")
			}
		}
		cmd := exec.Command("unshare", "-m", "sh", "-c", "mount --bind "+settings+" /etc/resolv.conf && exec getent ahosts "+name)
		require.NoError(t, ns.Run(func() error {
			_ = cmd.Run() // the status says whether there was an answer
			return nil
		}))
		return cmd.Process.Pid
	}},
}

// Resolvers ask again, each in its own way: Go from another socket with another id, the C library from the same with the same.
func TestDNSRetriesOfResolvers(t *testing.T) {
	testnet.Require(t)
	patience := testenv.Patiently(1500 * time.Millisecond)
	r := testreceiver.Start(t, "programs: {connection: {protocols: [tcp]}, dns: {threshold: 1us, timeout: "+patience.String()+", event_limit: 1000000}}")
	for _, resolver := range resolvers {
		for _, c := range []struct {
			name             string
			ignored, retries int
		}{{"answered at once", 0, 0}, {"answered after a retry", 1, 1}, {"never answered", 1000, 1}} {
			t.Run(resolver.name+" "+c.name, func(t *testing.T) {
				t.Parallel()
				u := &unreliable{ignored: c.ignored, queries: map[string][]time.Time{}, answers: map[string]time.Time{}}
				ns := testnet.NewNamespace(t)
				server := traffic.Addr(netip.MustParseAddr("127.0.0.53"), 53)
				serveNames(t, ns, server, func(query []byte) [][]byte { return u.answer(t, query) })
				settings := filepath.Join(t.TempDir(), "resolv.conf")
				require.NoError(t, os.WriteFile(settings, []byte("nameserver 127.0.0.53\noptions timeout:1 attempts:2\n"), 0o644))
				begin := time.Now()
				pid := resolver.resolve(t, ns, settings, "host.test.")
				end := time.Now()
				r.Exactly(t, 2, testreceiver.Named(lookupEvent), testreceiver.OfProcess(pid))
				u.mu.Lock()
				defer u.mu.Unlock()
				for kind, address := range resolverAnswers {
					require.Len(t, u.queries[kind], c.retries+1, "queries of type %s", kind)
					e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(pid), testreceiver.With("ebpf.dns.question.type", kind))[0]
					assert.Equal(t, "host.test", e.Attributes["dns.question.name"])
					assert.Equal(t, int64(c.retries), e.Attributes["ebpf.dns.retries"])
					assert.Equal(t, "127.0.0.53", e.Attributes["server.address"])
					first := u.queries[kind][0]
					if answered, ok := u.answers[kind]; ok {
						assert.Equal(t, plog.SeverityNumberInfo, e.Severity)
						assert.Equal(t, "noerror", e.Attributes["ebpf.dns.response.code"])
						assert.Equal(t, []any{address}, e.Attributes["dns.answers"])
						assert.NotContains(t, e.Attributes, "error.type")
						between(t, e, lookupDurationKey, answered.Sub(first), end.Sub(begin))
						continue
					}
					assert.Equal(t, plog.SeverityNumberWarn, e.Severity)
					assert.Equal(t, "timed_out", e.Attributes["error.type"])
					assert.NotContains(t, e.Attributes, "ebpf.dns.response.code")
					between(t, e, lookupDurationKey, 900*time.Millisecond+patience, end.Sub(begin)+patience) // it waits for a second before the retry
				}
			})
		}
	}
}

// A resolver on the host that asks again does so for itself: the process behind it has asked once.
func TestDNSRetriesOfLocalResolver(t *testing.T) {
	testnet.Require(t)
	const pause = 50 * time.Millisecond
	r := testreceiver.Start(t, everyLookup)
	u := &unreliable{ignored: 1, queries: map[string][]time.Time{}, answers: map[string]time.Time{}}
	l := newLookups(t, families[0], func(query []byte) [][]byte { return u.answer(t, query) })
	resolver, client := traffic.Start(t, l.left), traffic.Start(t, l.left)
	at := traffic.Addr(netip.MustParseAddr("127.0.0.53"), 53)
	listening := resolver.OpenUDP(at)
	socket := client.OpenUDP(traffic.Addr(testnet.Loopback4, 0))
	asked := client.SendMessages(socket.FD, at, asking(t, 7, "host.test", dns.TypeA))
	query := resolver.ReceiveMessages(listening.FD, 1)[0].Message
	first := resolver.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
	forwarded := resolver.SendMessages(first.FD, l.server, query)
	time.Sleep(pause)
	second := resolver.OpenUDP(traffic.Addr(netip.IPv4Unspecified(), 0))
	resolver.SendMessages(second.FD, l.server, query)
	answer := resolver.ReceiveMessages(second.FD, 1)[0]
	resolver.SendMessages(listening.FD, socket.Local, answer.Message)
	answered := client.ReceiveMessages(socket.FD, 1)[0]
	for _, c := range []struct {
		of      *traffic.Agent
		retries int64
		took    time.Duration
	}{{client, 0, answered.At.Sub(asked.Start)}, {resolver, 1, answer.At.Sub(forwarded.Start)}} {
		e := r.Exactly(t, 1, testreceiver.Named(lookupEvent), testreceiver.OfProcess(c.of.PID))[0]
		assert.Equal(t, c.retries, e.Attributes["ebpf.dns.retries"])
		assert.Equal(t, []any{"192.0.2.77"}, e.Attributes["dns.answers"])
		between(t, e, lookupDurationKey, pause, c.took+lateTolerance)
	}
}
