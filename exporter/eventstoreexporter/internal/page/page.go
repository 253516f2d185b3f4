// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Package page is the live page. It uses the API like any other client.
package page

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"io/fs"
	"mime"
	"net/http"
	"path"
	"time"
)

//go:embed files
var files embed.FS

// policy restricts the page: it loads nothing from other hosts and sends nothing to them, has no inline scripts or styles, and turns no
// text into HTML. The only script that a script may load is the page's own worker.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; worker-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker"

// file is one of the page's files.
type file struct {
	name, contentType, etag string
	content                 []byte
}

// Register adds the page to a mux: its HTML as /, everything else below /page/. All other paths stay as they are.
func Register(mux *http.ServeMux) {
	list, err := read()
	if err != nil {
		panic(err) // the files are part of the executable
	}
	for i := range list {
		f := &list[i]
		pattern := "GET /page/" + f.name
		if f.name == "index.html" {
			pattern = "GET /{$}"
		}
		mux.Handle(pattern, f)
	}
}

func read() ([]file, error) {
	entries, err := files.ReadDir("files")
	if err != nil {
		return nil, err
	}
	list := make([]file, 0, len(entries))
	for _, entry := range entries {
		content, err := fs.ReadFile(files, path.Join("files", entry.Name()))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		list = append(list, file{entry.Name(), contentType(entry.Name()), `"` + hex.EncodeToString(sum[:12]) + `"`, content})
	}
	return list, nil
}

// contentType does not depend on the host's own table of types.
func contentType(name string) string {
	switch path.Ext(name) {
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return mime.TypeByExtension(path.Ext(name))
	}
}

// ServeHTTP implements http.Handler. The browser asks each time whether the file has changed, so that it never mixes the files of
// two versions.
func (f *file) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h := w.Header()
	h.Set("Content-Type", f.contentType)
	h.Set("Content-Security-Policy", policy)
	h.Set("Cache-Control", "no-cache")
	h.Set("ETag", f.etag)
	http.ServeContent(w, r, f.name, time.Time{}, bytes.NewReader(f.content))
}
