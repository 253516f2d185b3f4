// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package dns

import (
	"net"
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	bpf "github.com/otelcol-ebpf/otelcol-ebpf/bpf/dns"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program/programtest"
)

// Records of this kernel have the same kinds as the recorded ones; with -update they replace those. Traffic to other ports makes none.
func TestRecordsOfThisKernel(t *testing.T) {
	named := map[string][]byte{}
	var cookies []uint64
	records := programtest.Records(t, program.Selected{Definition: &Definition, Config: defaultConfig()}, func() { lookUp(t) })
	for _, raw := range records {
		record, ok := common.View[common.Record](raw)
		require.True(t, ok)
		var part *bpf.DNSPart
		var data []byte
		if record.Event == sent {
			q, ok := common.View[bpf.DNSQuery](raw)
			require.True(t, ok)
			part, data = &q.Part, raw[len(programtest.Bytes(q)):]
		} else {
			a, ok := common.View[bpf.DNSAnswer](raw)
			require.True(t, ok)
			part, data = &a.Part, raw[len(programtest.Bytes(a)):]
		}
		if m, ok := parse(data[:part.Captured]); ok && m.question.name == "recorded.test" {
			named[map[uint8]string{sent: "1_query", received: "2_answer"}[record.Event]] = raw
			cookies = append(cookies, part.Cookie)
		}
	}
	require.Len(t, cookies, 2, "of %d records", len(records))
	assert.Equal(t, cookies[0], cookies[1])
	assert.NotZero(t, cookies[0])
	programtest.CompareRecords(t, named)
}

// lookUp looks up a name at a server of this host, at an address of its own.
func lookUp(t *testing.T) {
	t.Helper()
	server, err := net.ListenPacket("udp", "127.77.53.1:53")
	require.NoError(t, err)
	defer server.Close()
	client, err := net.Dial("udp", server.LocalAddr().String())
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.SetDeadline(time.Now().Add(10*time.Second)))
	require.NoError(t, server.SetDeadline(time.Now().Add(10*time.Second)))
	_, err = client.Write(query(t, 53, "recorded.test", dns.TypeA))
	require.NoError(t, err)
	buffer := make([]byte, 1500)
	n, from, err := server.ReadFrom(buffer)
	require.NoError(t, err)
	_, err = server.WriteTo(reply(t, buffer[:n], dns.RcodeSuccess, "recorded.test. 60 IN A 192.0.2.53"), from)
	require.NoError(t, err)
	_, err = client.Read(buffer)
	require.NoError(t, err)
}
