// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component/componenttest"
	"go.opentelemetry.io/collector/config/confignet"
	"go.opentelemetry.io/collector/config/configoptional"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/exporter"
	"go.opentelemetry.io/collector/exporter/exporterhelper"
	"go.opentelemetry.io/collector/exporter/exportertest"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

func TestConfig(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	require.NoError(t, cfg.Validate())
	require.NoError(t, confmap.NewFromStringMap(map[string]any{
		"endpoint": "localhost:9", "directory": "/tmp/x", "max_size": "20MiB", "max_age": "24h", "allowed_hosts": []any{"host.example"},
		"auth": map[string]any{"authenticator": "basicauth"},
	}).Unmarshal(cfg))
	assert.Equal(t, "localhost:9", cfg.ServerConfig.NetAddr.Endpoint)
	assert.Equal(t, Size(20<<20), cfg.MaxSize)
	assert.Equal(t, 24*time.Hour, cfg.MaxAge)
	assert.True(t, cfg.ServerConfig.Auth.HasValue())
	assert.Equal(t, int64(5000), cfg.QueueConfig.Get().Batch.Get().MinSize)

	cfg.Directory, cfg.MaxSize, cfg.MaxAge, cfg.ServerConfig.NetAddr.Endpoint = "", 1, -1, ""
	cfg.AllowedHosts = []string{"https://host.example"}
	err := cfg.Validate()
	for _, part := range []string{"directory: ", "max_size: ", "max_age: ", "endpoint: ", "allowed_hosts: "} {
		assert.ErrorContains(t, err, part)
	}
	for _, bad := range []string{"1GB", "-1", "x", "", "9999999TiB"} {
		assert.ErrorContains(t, new(Size).UnmarshalText([]byte(bad)), "is not a size", bad)
	}
}

// Events are stored either in files or on a server.
func TestConfigOfServer(t *testing.T) {
	for name, test := range map[string]struct {
		keys map[string]any
		want string
	}{
		"server":       {map[string]any{"victorialogs": map[string]any{"endpoint": "http://victorialogs:9428"}}, ""},
		"files":        {map[string]any{"directory": "/tmp/x"}, ""},
		"neither":      {map[string]any{"directory": ""}, "directory: "},
		"both":         {map[string]any{"directory": "/tmp/x", "victorialogs": map[string]any{"endpoint": "http://victorialogs:9428"}}, "remove one of them"},
		"size":         {map[string]any{"max_size": "1GiB", "victorialogs": map[string]any{"endpoint": "http://victorialogs:9428"}}, "max_size: this setting applies only to files"},
		"no URL":       {map[string]any{"victorialogs": map[string]any{"endpoint": "victorialogs:9428"}}, "victorialogs::endpoint: "},
		"no endpoint":  {map[string]any{"victorialogs": map[string]any{"timeout": "5s"}}, "victorialogs::endpoint: "},
		"unknown keys": {map[string]any{"victorialogs": map[string]any{"endpoint": "http://victorialogs:9428", "nonsense": 1}}, "victorialogs::nonsense: unknown key"},
		"unknown key":  {map[string]any{"max_sise": "1GiB"}, "max_sise: unknown key; the keys here are "},
		"no map":       {map[string]any{"victorialogs": "http://victorialogs:9428"}, "victorialogs"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := createDefaultConfig().(*Config)
			err := confmap.NewFromStringMap(test.keys).Unmarshal(cfg)
			if err == nil {
				err = cfg.Validate()
			}
			if test.want == "" {
				assert.NoError(t, err)
			} else {
				assert.ErrorContains(t, err, test.want)
			}
		})
	}
}

// The client of VictoriaLogs takes all settings of the collector's HTTP clients.
func TestVictoriaLogs(t *testing.T) {
	requests := make(chan *http.Request, 10)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/insert/opentelemetry/v1/logs" {
			_, _ = io.Copy(io.Discard, r.Body) // the tests with a real server check the content
			requests <- r
		}
	}))
	t.Cleanup(server.Close)
	e, cfg, logs := begin(t, settings(t, map[string]any{
		"endpoint": "localhost:0", "victorialogs": map[string]any{"endpoint": server.URL + "/", "headers": map[string]any{"AccountID": "7"}},
	}))
	assert.Empty(t, cfg.Directory)
	require.NoError(t, e.ConsumeLogs(t.Context(), storetest.Logs(0, 100)))
	r := <-requests
	assert.Equal(t, "7", r.Header.Get("AccountID"))
	assert.Equal(t, "gzip", r.Header.Get("Content-Encoding"))
	assert.Equal(t, "application/x-protobuf", r.Header.Get("Content-Type"))
	response, body := ask(t, plain(t), http.MethodGet, "http://"+addressOf(t, logs)+"/health")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, body, `"lost":{"disk_full":0,"error":0,"queue_full":0}`)
}

// begin starts an exporter with a unix socket or, with an address, TCP.
func begin(t *testing.T, change func(*Config)) (exporter.Logs, *Config, *observer.ObservedLogs) {
	t.Helper()
	cfg := createDefaultConfig().(*Config)
	cfg.Directory = t.TempDir()
	cfg.ServerConfig.NetAddr.Endpoint = "localhost:0"
	change(cfg)
	nop := exportertest.NewNopSettings(metadata.Type)
	core, logs := observer.New(zap.InfoLevel)
	nop.Logger = zap.New(core)
	e, err := NewFactory().CreateLogs(t.Context(), nop, cfg)
	require.NoError(t, err)
	require.NoError(t, e.Start(t.Context(), testHost{componenttest.NewNopHost()}))
	t.Cleanup(func() { assert.NoError(t, e.Shutdown(context.Background())) })
	return e, cfg, logs
}

func TestUnixSocket(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "s")
	e, cfg, _ := begin(t, func(c *Config) {
		c.ServerConfig.NetAddr = confignet.AddrConfig{Transport: confignet.TransportTypeUnix, Endpoint: socket}
	})
	require.NoError(t, e.ConsumeLogs(t.Context(), storetest.Logs(0, 1000)))
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}, DisableKeepAlives: true}}
	assert.EventuallyWithT(t, func(c *assert.CollectT) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://any/api/summary", http.NoBody)
		require.NoError(c, err)
		response, err := client.Do(r)
		require.NoError(c, err)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		require.NoError(c, err)
		assert.Contains(c, string(body), `"total":1000`)
		assert.Contains(c, string(body), `"lost":{"disk_full":0,"error":0,"queue_full":0}`)
	}, 10*time.Second, 50*time.Millisecond)

	other := create(t, cfg)
	assert.ErrorContains(t, other.Start(t.Context(), componenttest.NewNopHost()), "a directory belongs to one exporter")
	assert.NoError(t, other.Shutdown(t.Context()))
}

func create(t *testing.T, cfg *Config) exporter.Logs {
	t.Helper()
	e, err := NewFactory().CreateLogs(t.Context(), exportertest.NewNopSettings(metadata.Type), cfg)
	require.NoError(t, err)
	return e
}

// While the disk is full, /health says so, and events that are not stored are counted. Later events are stored again.
func TestFullDisk(t *testing.T) {
	directory := t.TempDir()
	if err := syscall.Mount("tmpfs", directory, "tmpfs", 0, "size=24m"); err != nil {
		storetest.Missing(t, "a small disk cannot be mounted: "+err.Error())
	}
	t.Cleanup(func() { assert.NoError(t, syscall.Unmount(directory, 0)) })
	e, _, logs := begin(t, func(c *Config) {
		c.Directory = directory
		c.QueueConfig = configoptional.None[exporterhelper.QueueBatchConfig]()
	})
	url := "http://" + addressOf(t, logs) + "/health"
	require.NoError(t, e.ConsumeLogs(t.Context(), storetest.Logs(0, 1000)))
	other := filepath.Join(directory, "other")
	_ = exec.Command("dd", "if=/dev/zero", "of="+other, "bs=64k").Run() //nolint:noctx // until the disk is full
	var err error
	for i := 1; i < 200 && err == nil; i++ {
		err = e.ConsumeLogs(t.Context(), storetest.Logs(i*1000, 1000))
	}
	require.Error(t, err)
	response, body := ask(t, plain(t), http.MethodGet, url)
	assert.Equal(t, http.StatusServiceUnavailable, response.StatusCode)
	assert.Contains(t, body, "events are not stored: ")
	assert.Contains(t, body, `"disk_full":1000,"error":0`)
	require.NoError(t, os.Remove(other))
	require.NoError(t, e.ConsumeLogs(t.Context(), storetest.Logs(500_000, 1000)))
	response, body = ask(t, plain(t), http.MethodGet, url)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, body, `"disk_full":1000,"error":0`)
}
