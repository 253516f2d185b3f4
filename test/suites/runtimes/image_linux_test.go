// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package runtimes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
)

// imageName is the name of the image that the guests' containers are made from.
const imageName = "test.invalid/guest:1"

// blob is a part of an image.
type blob struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int               `json:"size"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

func newBlob(mediaType string, content []byte) blob {
	sum := sha256.Sum256(content)
	return blob{MediaType: "application/vnd.oci.image." + mediaType, Digest: "sha256:" + hex.EncodeToString(sum[:]), Size: len(content)}
}

type file struct {
	name    string
	mode    int64
	content []byte
}

func tarOf(t *testing.T, files ...file) []byte {
	t.Helper()
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, f := range files {
		require.NoError(t, w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.content))}))
		_, err := w.Write(f.content)
		require.NoError(t, err)
	}
	require.NoError(t, w.Close())
	return text.Bytes()
}

// makeImages writes an image with the guest alone, in the layout of OCI, and its only layer, as `docker import` takes it.
func makeImages(t *testing.T, guest, image, layer string) {
	t.Helper()
	program, err := os.ReadFile(guest)
	require.NoError(t, err)
	content := tarOf(t, file{"guest", 0o755, program})
	require.NoError(t, os.WriteFile(layer, content, 0o644))

	asJSON := func(v any) []byte {
		text, err := json.Marshal(v)
		require.NoError(t, err)
		return text
	}
	layerBlob := newBlob("layer.v1.tar", content)
	config := asJSON(map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "rootfs": map[string]any{"type": "layers", "diff_ids": []string{layerBlob.Digest}},
	})
	manifest := asJSON(map[string]any{
		"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
		"config": newBlob("config.v1+json", config), "layers": []blob{layerBlob},
	})
	named := newBlob("manifest.v1+json", manifest)
	named.Annotations = map[string]string{"io.containerd.image.name": imageName}
	files := []file{
		{"oci-layout", 0o644, []byte(`{"imageLayoutVersion":"1.0.0"}`)},
		{"index.json", 0o644, asJSON(map[string]any{"schemaVersion": 2, "manifests": []blob{named}})},
	}
	for _, part := range [][]byte{content, config, manifest} {
		files = append(files, file{"blobs/sha256/" + newBlob("", part).Digest[len("sha256:"):], 0o644, part})
	}
	require.NoError(t, os.WriteFile(image, tarOf(t, files...), 0o644))
}
