// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package eventstoreexporter

import (
	"bufio"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/extension/extensionauth"
	"go.uber.org/zap/zaptest/observer"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
)

// testHost has an extension that asks for a password.
type testHost struct{ component.Host }

func (testHost) GetExtensions() map[component.ID]component.Component {
	return map[component.ID]component.Component{component.MustNewID("password"): password{}}
}

type password struct {
	component.StartFunc
	component.ShutdownFunc
}

var _ extensionauth.Server = password{}

func (password) Authenticate(ctx context.Context, headers map[string][]string) (context.Context, error) {
	if got := headers["Authorization"]; len(got) != 1 || got[0] != "Bearer secret" {
		return ctx, errors.New("no or another password")
	}
	return ctx, nil
}

// settings changes a configuration as users write it.
func settings(t *testing.T, keys map[string]any) func(*Config) {
	return func(c *Config) { require.NoError(t, confmap.NewFromStringMap(keys).Unmarshal(c)) }
}

// addressOf returns where the exporter listens, from its log.
func addressOf(t *testing.T, logs *observer.ObservedLogs) string {
	t.Helper()
	for _, entry := range logs.FilterMessage("Serving events over HTTP").All() {
		address, ok := entry.ContextMap()["address"].(string)
		require.True(t, ok)
		return address
	}
	t.Fatal("the address is not in the log")
	return ""
}

// answer is an HTTP response whose body was read.
type answer struct {
	StatusCode int
	Proto      string
	Header     http.Header
}

// ask sends a request with headers; Host is one of them.
func ask(t *testing.T, client *http.Client, method, url string, headers ...string) (answer, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, http.NoBody)
	require.NoError(t, err)
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
	}
	response, err := client.Do(r)
	require.NoError(t, err)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	require.NoError(t, err)
	return answer{response.StatusCode, response.Proto, response.Header}, string(body)
}

// plain returns a client without TLS whose connections end with the test.
func plain(t *testing.T) *http.Client {
	client := &http.Client{Transport: &http.Transport{}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

// everyPath has all paths that are served.
var everyPath = []string{
	"/health", "/api/events", "/api/events?format=text", "/api/summary", "/api/problems", "/api/programs", "/api/events/stream", "/docs", "/openapi.json",
	"/api/connections/summary", "/api/list-packet-drops",
}

// Clients find localhost at both of its addresses. Other names have one.
func TestBothAddressesOfLocalhost(t *testing.T) {
	if probe, err := net.Listen("tcp", "[::1]:0"); err == nil {
		require.NoError(t, probe.Close())
	} else {
		storetest.Missing(t, "this host has no IPv6: "+err.Error())
	}
	_, _, logs := begin(t, settings(t, map[string]any{"endpoint": "localhost:0"}))
	_, port, err := net.SplitHostPort(addressOf(t, logs))
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "::1", "localhost"} {
		response, _ := ask(t, plain(t), http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/health")
		assert.Equal(t, http.StatusOK, response.StatusCode, host)
	}

	_, _, logs = begin(t, settings(t, map[string]any{"endpoint": "127.0.0.1:0"}))
	_, port, err = net.SplitHostPort(addressOf(t, logs))
	require.NoError(t, err)
	_, err = net.Dial("tcp", net.JoinHostPort("::1", port))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
}

func TestAuthentication(t *testing.T) {
	_, _, logs := begin(t, settings(t, map[string]any{"endpoint": "127.0.0.1:0", "auth": map[string]any{"authenticator": "password"}}))
	url := "http://" + addressOf(t, logs)
	for _, path := range append(everyPath, "/nothing") {
		for _, headers := range [][]string{nil, {"Authorization", "Bearer wrong"}} {
			response, body := ask(t, plain(t), http.MethodGet, url+path, headers...)
			assert.Equal(t, http.StatusUnauthorized, response.StatusCode, path)
			assert.NotContains(t, body, "{", path)
		}
	}
	// A client with the password may use any name for the server, as a proxy in front of it does.
	response, body := ask(t, plain(t), http.MethodGet, url+"/health", "Authorization", "Bearer secret", "Host", "events.example")
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Contains(t, body, `"healthy"`)
}

func TestAuthenticationThatDoesNotExist(t *testing.T) {
	cfg := createDefaultConfig().(*Config)
	settings(t, map[string]any{"endpoint": "localhost:0", "directory": t.TempDir(), "auth": map[string]any{"authenticator": "nobody"}})(cfg)
	e := create(t, cfg)
	assert.ErrorContains(t, e.Start(t.Context(), testHost{}), "nobody")
	assert.NoError(t, e.Shutdown(t.Context()))
}

// Web pages of allowed origins can read the answers. Pages of other origins cannot.
func TestCORS(t *testing.T) {
	_, _, logs := begin(t, settings(t, map[string]any{
		"endpoint": "127.0.0.1:0", "cors": map[string]any{"allowed_origins": []any{"https://grafana.example"}},
	}))
	url := "http://" + addressOf(t, logs) + "/api/summary"
	const allowed, other = "https://grafana.example", "https://evil.example"
	page := func(origin string) []string {
		return []string{"Origin", origin, "Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "cors", "Sec-Fetch-Dest", "empty"}
	}
	response, body := ask(t, plain(t), http.MethodGet, url, page(allowed)...)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	assert.Equal(t, allowed, response.Header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, body, `"total"`)
	response, body = ask(t, plain(t), http.MethodGet, url, page(other)...)
	assert.Equal(t, http.StatusForbidden, response.StatusCode)
	assert.Empty(t, response.Header.Get("Access-Control-Allow-Origin"))
	assert.Contains(t, body, "cors::allowed_origins")
	for origin, want := range map[string]string{allowed: allowed, other: ""} { // the preflight request of a browser before a POST
		response, _ := ask(t, plain(t), http.MethodOptions, "http://"+addressOf(t, logs)+"/api/connection-summary",
			append(page(origin), "Access-Control-Request-Method", "POST")...)
		assert.Equal(t, want, response.Header.Get("Access-Control-Allow-Origin"))
	}
	response, _ = ask(t, plain(t), http.MethodGet, url) // curl
	assert.Equal(t, http.StatusOK, response.StatusCode)
}

// The names in allowed_hosts are names of the server. Other names are refused: with DNS rebinding, they are those of a web page.
func TestNames(t *testing.T) {
	hostname, err := os.Hostname()
	require.NoError(t, err)
	_, _, logs := begin(t, settings(t, map[string]any{"endpoint": "localhost:0", "allowed_hosts": []any{"Events.Example", "proxy.example:8443"}}))
	url := "http://" + addressOf(t, logs) + "/health"
	for host, want := range map[string]int{
		"localhost:8080": 200, hostname: 200, hostname + ":80": 200, "events.example": 200, "EVENTS.example:443": 200, "events.example.": 200,
		"proxy.example": 200, "proxy.example:8443": 200, "10.0.0.1:8080": 200,
		"evil.example": 421, "events.example.evil.example": 421, "xevents.example": 421,
	} {
		response, body := ask(t, plain(t), http.MethodGet, url, "Host", host)
		assert.Equal(t, want, response.StatusCode, host)
		if want == 421 {
			assert.Contains(t, body, "allowed_hosts", host)
			assert.Contains(t, body, host)
		}
	}
}

// The host name in endpoint is a name of the server.
func TestNameOfTheEndpoint(t *testing.T) {
	for endpoint, name := range map[string]string{"store.internal:8080": "store.internal", ":8080": "", "0.0.0.0:8080": "0.0.0.0"} {
		e := &eventStore{config: &Config{}}
		e.config.ServerConfig.NetAddr.Endpoint = endpoint
		if hosts := e.guard().Hosts; name != "" {
			assert.Contains(t, hosts, name)
		} else {
			assert.NotContains(t, hosts, "")
		}
	}
}

// authority makes a certificate that signs others.
type authority struct {
	directory string
	key       *ecdsa.PrivateKey
	root      *x509.Certificate
	number    int64
}

func newAuthority(t *testing.T) *authority {
	a := &authority{directory: t.TempDir()}
	a.key, a.root = a.certificate(t, "ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.directory, name) }

// certificate makes NAME.pem and NAME.key.
func (a *authority) certificate(t *testing.T, name string, c *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	a.number++
	c.SerialNumber, c.Subject = big.NewInt(a.number), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.root, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	bytes, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: bytes}), 0o600))
	signed, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	return key, signed
}

// client returns a client that knows the authority, and has a certificate if it is named.
func (a *authority) client(t *testing.T, server string, own ...string) *http.Client {
	roots := x509.NewCertPool()
	roots.AddCert(a.root)
	config := &tls.Config{RootCAs: roots, ServerName: server, MinVersion: tls.VersionTLS12}
	for _, name := range own {
		pair, err := tls.LoadX509KeyPair(a.path(name+".pem"), a.path(name+".key"))
		require.NoError(t, err)
		config.Certificates = append(config.Certificates, pair)
	}
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}
	t.Cleanup(client.CloseIdleConnections)
	return client
}

func TestTLS(t *testing.T) {
	a := newAuthority(t)
	a.certificate(t, "server", &x509.Certificate{DNSNames: []string{"store.example"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	e, _, logs := begin(t, settings(t, map[string]any{
		"endpoint": "127.0.0.1:0", "tls": map[string]any{"cert_file": a.path("server.pem"), "key_file": a.path("server.key")},
	}))
	address := addressOf(t, logs)
	client := a.client(t, "store.example")
	// The name is in the certificate, so that allowed_hosts does not need it.
	response, body := ask(t, client, http.MethodGet, "https://"+address+"/health", "Host", "store.example:8080")
	assert.Equal(t, http.StatusOK, response.StatusCode, body)
	assert.Equal(t, "HTTP/2.0", response.Proto)
	_, err := a.client(t, "other.example").Get("https://" + address + "/health") //nolint:noctx,bodyclose // it fails
	assert.ErrorContains(t, err, "certificate is valid for store.example")
	response, _ = ask(t, plain(t), http.MethodGet, "http://"+address+"/health")
	assert.Equal(t, http.StatusBadRequest, response.StatusCode, "without TLS")

	// A stream over HTTP/2 sends events as they arrive.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "https://"+address+"/api/events/stream?command=curl", http.NoBody)
	require.NoError(t, err)
	stream, err := client.Do(r)
	require.NoError(t, err)
	defer stream.Body.Close()
	require.NoError(t, e.ConsumeLogs(t.Context(), storetest.Logs(0, 10)))
	lines := bufio.NewScanner(stream.Body)
	for lines.Scan() && !strings.HasPrefix(lines.Text(), "data: ") {
	}
	assert.Contains(t, lines.Text(), `"command":"curl"`)
}

// A certificate of the client is a credential.
func TestClientCertificate(t *testing.T) {
	a := newAuthority(t)
	a.certificate(t, "server", &x509.Certificate{DNSNames: []string{"store.example"}})
	a.certificate(t, "client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	_, _, logs := begin(t, settings(t, map[string]any{
		"endpoint": "0.0.0.0:0",
		"tls": map[string]any{
			"cert_file": a.path("server.pem"), "key_file": a.path("server.key"), "client_ca_file": a.path("ca.pem"),
		},
	}))
	_, port, err := net.SplitHostPort(addressOf(t, logs))
	require.NoError(t, err)
	url := "https://127.0.0.1:" + port + "/health"
	response, _ := ask(t, a.client(t, "store.example", "client"), http.MethodGet, url)
	assert.Equal(t, http.StatusOK, response.StatusCode)
	_, err = a.client(t, "store.example").Get(url) //nolint:noctx,bodyclose // it fails
	assert.Error(t, err)
	assert.Equal(t, 0, warnings(logs))
}

func warnings(logs *observer.ObservedLogs) int {
	return logs.Filter(func(entry observer.LoggedEntry) bool {
		return strings.HasPrefix(entry.Message, "Everybody who can reach this address can read all events")
	}).Len()
}

func TestWarnsOfAnOpenAddress(t *testing.T) {
	a := newAuthority(t)
	a.certificate(t, "server", &x509.Certificate{DNSNames: []string{"store.example"}})
	certificate := map[string]any{"cert_file": a.path("server.pem"), "key_file": a.path("server.key")}
	for name, test := range map[string]struct {
		keys map[string]any
		want int
	}{
		"localhost":       {map[string]any{"endpoint": "localhost:0"}, 0},
		"local address":   {map[string]any{"endpoint": "127.0.0.1:0"}, 0},
		"IPv6":            {map[string]any{"endpoint": "[::1]:0"}, 0},
		"every address":   {map[string]any{"endpoint": "0.0.0.0:0"}, 1},
		"no address":      {map[string]any{"endpoint": ":0"}, 1},
		"with TLS":        {map[string]any{"endpoint": "0.0.0.0:0", "tls": certificate}, 1},
		"with a password": {map[string]any{"endpoint": "0.0.0.0:0", "auth": map[string]any{"authenticator": "password"}}, 0},
		"unix socket":     {map[string]any{"transport": "unix", "endpoint": filepath.Join(t.TempDir(), "s")}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, logs := begin(t, settings(t, test.keys))
			assert.Equal(t, test.want, warnings(logs))
		})
	}
}
