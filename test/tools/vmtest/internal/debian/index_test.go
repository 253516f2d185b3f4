// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package debian

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestParseIndex(t *testing.T) {
	packages, err := ParseIndex(strings.NewReader(`Package: linux-image-7.1.2-cloud-amd64
Version: 7.1.2-1
Architecture: amd64
Depends: dracut | initramfs-tools (>= 0.120), linux-binary-7.1.2-cloud-amd64 (= 7.1.2-1)
Description: a kernel
 in some more words: these
Filename: pool/main/l/linux/linux-image-7.1.2-cloud-amd64_7.1.2-1_amd64.deb
SHA256: 00ff

Package: other
Version: 1
Architecture: all
`))
	require.NoError(t, err)
	assert.Equal(t, []Package{
		{
			Name: "linux-image-7.1.2-cloud-amd64", Version: "7.1.2-1", Architecture: "amd64",
			Depends: []string{"dracut", "linux-binary-7.1.2-cloud-amd64"},
			File:    "linux-image-7.1.2-cloud-amd64_7.1.2-1_amd64.deb", SHA256: "00ff",
		},
		{Name: "other", Version: "1", Architecture: "all"},
	}, packages)
	assert.Equal(t, "other:all=1", packages[1].String())
}

// image is a kernel package as in Debian's archive.
func image(abi, version string, depends ...string) Package {
	arch := abi[strings.LastIndexByte(abi, '-')+1:]
	return Package{Name: "linux-image-" + abi, Version: version, Architecture: arch, Depends: depends}
}

func TestNewest(t *testing.T) {
	split := []Package{
		image("7.10.1-cloud-amd64", "7.10.1-1", "kmod", "linux-base-7.10.1-cloud-amd64", "linux-binary-7.10.1-cloud-amd64", "linux-modules-7.10.1-cloud-amd64"),
		{Name: "linux-binary-7.10.1-cloud-amd64", Version: "7.10.1-1"},
		{Name: "linux-modules-7.10.1-cloud-amd64", Version: "7.10.1-1"},
	}
	packages := append([]Package{
		image("6.1.0-9-cloud-amd64", "6.1.90-1"),
		image("6.1.0-50-cloud-amd64", "6.1.100-1"),
		image("6.1.0-0.deb11.50-cloud-amd64", "6.1.100-1~deb11u1"),
		image("6.1.0-51-cloud-arm64", "6.1.101-1"),
		image("6.12.5-cloud-amd64", "6.12.5-1"),
		image("6.1-cloud-amd64", "6.1.999-1"), // meta package
		image("cloud-amd64", "6.1.999-1"),
		image("6.1.0-60-amd64", "6.1.999-1"), // not a cloud kernel
		image("6.1.0-60-cloud-amd64-dbg", "6.1.999-1"),
		image("7.9.9-cloud-amd64", "7.9.9-1"),
		image("7.2.1-cloud-arm64", "7.2.1-1", "linux-binary-7.2.1-cloud-arm64"),
	}, split...)

	for _, c := range []struct{ series, arch, want string }{
		{"6.1", "amd64", "[linux-image-6.1.0-50-cloud-amd64:amd64=6.1.100-1]"},
		{"6.1", "arm64", "[linux-image-6.1.0-51-cloud-arm64:arm64=6.1.101-1]"},
		{"6.12", "amd64", "[linux-image-6.12.5-cloud-amd64:amd64=6.12.5-1]"},
		{"7", "amd64", fmt.Sprint(split)},
	} {
		t.Run(c.series+" "+c.arch, func(t *testing.T) {
			newest, err := Newest(packages, c.series, c.arch)
			require.NoError(t, err)
			assert.Equal(t, c.want, fmt.Sprint(newest))
		})
	}

	_, err := Newest(packages, "5.10", "amd64")
	assert.EqualError(t, err, "the archive has no package linux-image-5.10.*-cloud-amd64")
	_, err = Newest(packages, "7", "arm64")
	assert.ErrorContains(t, err, "no package linux-binary-7.2.1-cloud-arm64=7.2.1-1, which linux-image-7.2.1-cloud-arm64 depends on")
}
