// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSkipped(t *testing.T) {
	p := testPackage{skip: []string{".*/mapped", "Reload", "TestA/^(b|c)$"}, once: []string{"Masses"}}
	assert.Equal(t, "Reload|.*/mapped|TestA/^(b|c)$", p.skipped("amd64"))
	assert.Equal(t, "Reload|Masses|.*/mapped|TestA/^(b|c)$", p.skipped("arm64"))
	assert.Equal(t, ".*/mapped", p.skip[0], "it is not changed")
}
