// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"fmt"
	"io"
	"net/http"

	"github.com/swaggest/swgui/v5/static"
	"github.com/vearutop/statigz"
)

func sprintf(format string, args ...any) string { return fmt.Sprintf(format, args...) }

// Nothing comes from another host, and no script or style stands in the page itself. Swagger UI has images as data, and sets
// styles of elements.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const docsPage = `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Event store</title>
<link rel="stylesheet" href="/docs/swagger-ui.css">
<link rel="icon" type="image/png" href="/docs/favicon-32x32.png">
</head>
<body>
<div id="swagger-ui"></div>
<script src="/docs/swagger-ui-bundle.js"></script>
<script src="/docs/start.js"></script>
</body>
</html>
`

const docsScript = `SwaggerUIBundle({url: "/openapi.json", dom_id: "#swagger-ui", deepLinking: true, validatorUrl: null});
`

// docs serves Swagger UI from the binary.
func (a *api) docs() {
	serve := func(path, contentType, content string) {
		a.mux.HandleFunc("GET "+path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			w.Header().Set("Content-Security-Policy", docsPolicy)
			_, _ = io.WriteString(w, content) // the client may have left
		})
	}
	serve("/docs", "text/html; charset=utf-8", docsPage)
	serve("/docs/start.js", "text/javascript; charset=utf-8", docsScript)
	a.mux.Handle("GET /docs/", http.StripPrefix("/docs/", statigz.FileServer(static.FS)))
}
