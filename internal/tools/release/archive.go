// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"os"
	"path"
	"slices"
)

// archive makes the archive with an executable, the third-party licences and the committed files, all in one folder.
func (r *release) archive(e *executable, folder string, notice []byte) ([]byte, error) {
	var compressed bytes.Buffer
	z, err := gzip.NewWriterLevel(&compressed, r.level)
	if err != nil {
		return nil, err
	}
	w := tar.NewWriter(z)
	add := func(name string, mode int64, content []byte) error {
		header := &tar.Header{Name: path.Join(folder, name), Mode: mode, Size: int64(len(content)), ModTime: r.time, Format: tar.FormatGNU}
		if err := w.WriteHeader(header); err != nil {
			return err
		}
		_, err := w.Write(content)
		return err
	}
	program, err := os.ReadFile(e.path)
	if err == nil {
		err = add(e.name, 0o755, program)
	}
	if err == nil {
		err = add("NOTICE", 0o644, notice)
	}
	files := slices.Sorted(slices.Values(r.files))
	for i := 0; err == nil && i < len(files); i++ {
		var content []byte
		if content, err = os.ReadFile(files[i]); err == nil {
			err = add(files[i], 0o644, content)
		}
	}
	if err == nil {
		err = w.Close()
	}
	if err == nil {
		err = z.Close()
	}
	return compressed.Bytes(), err
}
