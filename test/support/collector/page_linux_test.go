// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParsePage(t *testing.T) {
	page, err := ParsePage(strings.NewReader(`# HELP a What it is.
# TYPE a counter
a{x="1",y="a \"quoted\", {braced} \\ text"} 5 1795262885456
a{x="2"} 1.5e+06
b 3

`))
	require.NoError(t, err)
	at := time.UnixMilli(1795262885456)
	assert.Equal(t, Page{
		{Name: "a", Labels: Labels{"x": "1", "y": `a "quoted", {braced} \ text`}, Value: 5, Time: at},
		{Name: "a", Labels: Labels{"x": "2"}, Value: 1.5e6},
		{Name: "b", Value: 3},
	}, page)
	assert.InDelta(t, 1500005, page.Sum("a", nil), 0)
	assert.InDelta(t, 1500000, page.Sum("a", Labels{"y": ""}), 0)
	assert.InDelta(t, 5, page.Sum("a", Labels{"x": "1"}), 0)
	assert.Zero(t, page.Sum("c", nil))
	assert.Equal(t, at, page.Time())
}

func TestParsePageRefuses(t *testing.T) {
	for _, line := range []string{`a`, `a{x="1" 5`, `a{x=1} 5`, `a{x="1"}`, `a five`, `a 1 soon`} {
		_, err := ParsePage(strings.NewReader(line))
		assert.Error(t, err, line)
	}
}
