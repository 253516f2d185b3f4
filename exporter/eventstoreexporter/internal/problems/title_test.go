// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package problems

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestExpand(t *testing.T) {
	v := values{
		"command": "web", "unit": "shop.service", "container": "", "address": "10.0.0.5", "port": "443",
		"error": "timed_out", "attr.ebpf.connection.cause": "no_answer", "reason": "no_socket",
	}
	for title, want := range map[string]string{
		"":                                    "",
		"events are lost":                     "events are lost",
		"{who} cannot connect to {peer}":      "web (shop.service) cannot connect to 10.0.0.5:443",
		"{error}":                             "timed_out (no answer)",
		"dropped: {reason|no reason given}":   "dropped: no_socket",
		"dropped: {container|none given}!":    "dropped: none given!",
		"reset[: {reason}]":                   "reset: no_socket",
		"reset[: {reason} in {container}]!":   "reset!",
		"x[ a {container}][ b {reason}] y":    "x b no_socket y",
		"of {attr.ebpf.program.name} and {z}": "of  and ",
	} {
		assert.Equal(t, want, v.expand(title), title)
	}
	assert.Equal(t, "an unknown process an unknown peer no error given", values{}.expand("{who} {peer} {error}"))
}
