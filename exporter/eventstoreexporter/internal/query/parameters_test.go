// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package query

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var now = time.Date(2026, 11, 28, 10, 0, 0, 0, time.UTC)

// parse reads one parameter.
func parse(name, value string) (*Request, []Bad) {
	return Parse(url.Values{name: {value}}.Encode(), Parameters("limit", "after", "order", "format"), now)
}

// Addresses are taken in each form in which they are shown.
func TestAddresses(t *testing.T) {
	for value, want := range map[string]string{
		"10.0.0.5": "10.0.0.5", "::ffff:10.0.0.5": "10.0.0.5", "::1": "::1", "[::1]": "::1", "[2001:DB8::1]": "2001:db8::1", "fe80::1%eth0": "fe80::1%eth0",
		"/run/app.sock": "/run/app.sock", "@app": "@app", "db.example": "db.example",
	} {
		r, bad := parse("address", value)
		require.Empty(t, bad, value)
		assert.Equal(t, want, *r.Address, value)
	}
	for value, why := range map[string]string{
		"10.0.0.0/8": "network", "fd00::/8": "network", "10.0.0.5:80": "port", "[::1]:80": "port", "256.0.0.1": "not an IP", "[::g]": "not an IP", "10.0.0": "not an IP",
	} {
		_, bad := parse("address", value)
		require.Len(t, bad, 1, value)
		assert.Contains(t, bad[0].Message, why, value)
	}
}

func TestTimes(t *testing.T) {
	for value, want := range map[string]time.Time{
		"15m": now.Add(-15 * time.Minute), "2h30m": now.Add(-150 * time.Minute), "7d": now.AddDate(0, 0, -7), "0s": now,
		"2026-11-28T09:00:00Z": now.Add(-time.Hour), "2026-11-28T11:00:00+02:00": now.Add(-time.Hour), "2026-11-28T11:00:00 02:00": now.Add(-time.Hour),
		"2026-11-28T09:00:00.000000001Z": now.Add(-time.Hour + 1), "2099-01-01T00:00:00Z": time.Date(2099, 1, 1, 0, 0, 0, 0, time.UTC),
	} {
		r, bad := parse("since", value)
		require.Empty(t, bad, value)
		assert.True(t, want.Equal(r.Since), "%s: %s", value, r.Since)
	}
	for _, value := range []string{"15", "-15m", "15min", "1w", "now", "today", "2026-11-28", "2026-11-28T10:00:00", "1795860000", "2026-11-28 10:00:00Z", " ", "1e3s"} {
		_, bad := parse("since", value)
		assert.Len(t, bad, 1, value)
	}
	_, bad := Parse("since=1h&until=2h", Parameters(), now)
	require.Len(t, bad, 1)
	assert.Equal(t, "until", bad[0].Parameter)
}

// The beginning of a program is found as that of an event is.
func TestTypes(t *testing.T) {
	const name = "ebpf.connection.connect"
	for value, want := range map[string]bool{
		"connection": true, "conn*": true, "connection*": true, "ebpf.conn*": true, "ebpf.*": true, "packet_drop,connection": true, name: true,
		"connect": false, "connect*": true, "ebpf.connection": false, "tcp*": false, "connection.*": false,
	} {
		r, bad := parse("type", value)
		require.Empty(t, bad, value)
		matches := false
		for _, one := range r.Types {
			matches = matches || one.Matches(name)
		}
		assert.Equal(t, want, matches, value)
	}
}

func TestUnknownParameter(t *testing.T) {
	_, bad := Parse("verbose", nil, now)
	require.Len(t, bad, 1)
	assert.Equal(t, "there is no such parameter. Known are none", bad[0].Message)
	_, bad = parse("comand", "curl")
	require.Len(t, bad, 1)
	assert.Contains(t, bad[0].Message, "type, pid, command")
}
