// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestSkipped(t *testing.T) {
	p := testPackage{
		skip: []string{".*/mapped", "Reload", "TestA/^(b|c)$"}, once: []string{"Masses"}, onOne: []string{"Together"},
	}
	assert.Equal(t, "Reload|.*/mapped|TestA/^(b|c)$", p.skipped(allIn))
	assert.Equal(t, "Reload|Together|.*/mapped|TestA/^(b|c)$", p.skipped(line{"5.10", "amd64"}))
	assert.Equal(t, "Reload|Masses|Together|.*/mapped|TestA/^(b|c)$", p.skipped(line{"6.1", "arm64"}))
	assert.Contains(t, supported, allIn)
	assert.Equal(t, ".*/mapped", p.skip[0], "it is not changed")
}
