// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page_test

import (
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/api"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/store"
)

// get asks the handler of the exporter, behind its guard.
func get(t *testing.T, method, path string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	request := httptest.NewRequestWithContext(t.Context(), method, "http://localhost:8080"+path, http.NoBody)
	for name, value := range header {
		if name == "Host" {
			request.Host = value
		}
		request.Header.Set(name, value)
	}
	events, err := store.Open(store.Settings{Directory: t.TempDir(), MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	answer := httptest.NewRecorder()
	api.Guard{Hosts: []string{}}.Wrap(api.New(api.Settings{Store: events, Logger: zap.NewNop()})).ServeHTTP(answer, request)
	require.NoError(t, events.Close())
	return answer
}

func TestFiles(t *testing.T) {
	types := map[string]string{
		".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml", ".html": "text/html; charset=utf-8",
	}
	paths, err := filepath.Glob("files/*")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		name := filepath.Base(path)
		url := "/page/" + name
		if name == "index.html" {
			url = "/"
		}
		answer := get(t, http.MethodGet, url, nil)
		assert.Equal(t, http.StatusOK, answer.Code, url)
		assert.Equal(t, types[filepath.Ext(name)], answer.Header().Get("Content-Type"), url)
		assert.Equal(t, "no-cache", answer.Header().Get("Cache-Control"), url)
		assert.Equal(t, "nosniff", answer.Header().Get("X-Content-Type-Options"), url)
		policy := answer.Header().Get("Content-Security-Policy")
		assert.Contains(t, policy, "default-src 'none'", url)
		assert.Contains(t, policy, "script-src 'self';", url)
		assert.Contains(t, policy, "frame-ancestors 'none'", url)
		assert.NotContains(t, policy, "unsafe", url)
		assert.NotContains(t, policy, "http", url)

		tag := answer.Header().Get("ETag")
		require.NotEmpty(t, tag, url)
		assert.Equal(t, http.StatusNotModified, get(t, http.MethodGet, url, map[string]string{"If-None-Match": tag}).Code, url)
		assert.Equal(t, http.StatusOK, get(t, http.MethodGet, url, map[string]string{"If-None-Match": `"another"`}).Code, url)
		assert.Equal(t, http.StatusOK, get(t, http.MethodHead, url, nil).Code, url)
	}
}

func TestOtherPaths(t *testing.T) {
	for _, path := range []string{"/index.html", "/page", "/page/", "/page/index.html", "/page/none.js", "/page/page.go", "/page/..%2fpage.go", "/favicon.ico", "/events"} {
		assert.Equal(t, http.StatusNotFound, get(t, http.MethodGet, path, nil).Code, path)
	}
	assert.Equal(t, http.StatusMethodNotAllowed, get(t, http.MethodPost, "/", nil).Code)
	assert.Equal(t, http.StatusOK, get(t, http.MethodGet, "/openapi.json", nil).Code)
}

func TestGuarded(t *testing.T) {
	for _, path := range []string{"/", "/page/app.js"} {
		assert.Equal(t, http.StatusMisdirectedRequest, get(t, http.MethodGet, path, map[string]string{"Host": "evil.example"}).Code, path)
		assert.Equal(t, http.StatusForbidden, get(t, http.MethodGet, path, map[string]string{"Origin": "http://evil.example"}).Code, path)
	}
	// A link in a chat opens the page.
	link := map[string]string{"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
	assert.Equal(t, http.StatusOK, get(t, http.MethodGet, "/?type=connection", link).Code)
}

// Nothing in the files comes from another host, stands where the policy refuses it, or makes HTML of text.
func TestSelfContained(t *testing.T) {
	forbidden := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|new Function|<script>|<style| style=| on[a-z]+="|https?://|url\(`)
	require.NoError(t, fs.WalkDir(os.DirFS("files"), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join("files", path))
		for i, line := range strings.Split(string(text), "\n") {
			if found := forbidden.FindString(strings.ReplaceAll(line, "http://www.w3.org/2000/svg", "")); found != "" {
				t.Errorf("%s:%d has %s", path, i+1, found)
			}
		}
		return err
	}))
}
