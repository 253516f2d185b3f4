// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
)

// writeChecksums writes the checksums of all files, as `sha256sum --check` takes them.
func (r *release) writeChecksums(names []string) error {
	var lines bytes.Buffer
	for _, name := range slices.Sorted(slices.Values(names)) {
		content, err := os.ReadFile(filepath.Join(r.output, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&lines, "%x  %s\n", sha256.Sum256(content), name)
	}
	return r.write("otelcol-ebpf_"+r.version+"_checksums.txt", lines.Bytes())
}
