// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package api

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/query"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/store"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/storetest"
	"github.com/otelcol-ebpf/otelcol-ebpf/exporter/eventstoreexporter/internal/victorialogs"
)

// now is a second after the last of 6,000 events.
var now = storetest.Start.Add(7 * time.Second)

// server answers questions about a store.
type server struct {
	query.Store
	handler   http.Handler
	url       string
	directory string
}

// serve starts a server of a store, whose directory is for downloads.
func serve(t testing.TB, s query.Store, directory string) *server {
	t.Helper()
	done := make(chan struct{})
	handler := Guard{Hosts: []string{}}.Wrap(New(Settings{
		Store: s, Version: "1.2.3", Logger: zap.NewNop(), Now: func() time.Time { return now }, Done: done, Directory: directory,
	}))
	listening := httptest.NewServer(handler)
	t.Cleanup(func() {
		close(done)
		listening.Close()
		assert.NoError(t, s.Close())
	})
	return &server{s, handler, listening.URL, directory}
}

// start starts a server of a store with files.
func start(t testing.TB) *server {
	t.Helper()
	directory := t.TempDir()
	s, err := store.Open(store.Settings{Directory: directory, MaxSize: 1 << 30, Logger: zap.NewNop()})
	require.NoError(t, err)
	return serve(t, s, directory)
}

// each runs a test of a store with files, of one with a server of VictoriaLogs and of one with a cluster: the answers are the same.
func each(t *testing.T, test func(t *testing.T, s *server)) {
	t.Run("files", func(t *testing.T) {
		t.Parallel()
		test(t, start(t))
	})
	eachServer(t, test)
}

// eachServer runs a test of a store with a server of VictoriaLogs and of one with a cluster.
func eachServer(t *testing.T, test func(t *testing.T, s *server)) {
	for name, of := range map[string]*sharedProcess{"victorialogs": &single, "cluster": &cluster} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			test(t, startVictoriaLogs(t, of.url(t)))
		})
	}
}

// startVictoriaLogs starts a server of a store with VictoriaLogs that is empty: each has a tenant of its own.
func startVictoriaLogs(t testing.TB, url string) *server {
	t.Helper()
	client := &http.Client{Transport: tenant{new(http.Transport), strconv.Itoa(int(tenants.Add(1)))}, Timeout: 20 * time.Second}
	s := victorialogs.Open(victorialogs.Settings{Endpoint: url, Client: client, Logger: zap.NewNop(), Patience: 5 * time.Second})
	return serve(t, visible{s}, t.TempDir())
}

var tenants atomic.Int64

type tenant struct {
	*http.Transport
	number string
}

func (t tenant) RoundTrip(r *http.Request) (*http.Response, error) {
	r.Header.Set("AccountID", t.number)
	return t.Transport.RoundTrip(r)
}

// visible is a store whose events are found when they are written.
type visible struct{ query.Store }

func (v visible) Write(ctx context.Context, logs plog.Logs) error {
	want := v.count(ctx) + int64(logs.LogRecordCount())
	err := v.Store.Write(ctx, logs)
	for range 500 {
		if err != nil || v.count(ctx) >= want && v.Status().Oldest != 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	return err
}

func (v visible) count(ctx context.Context) (count int64) {
	groups, _ := v.Count(ctx, query.Count{}) // an error means no groups
	for i := range groups {
		count += groups[i].Count
	}
	return count
}

// settle waits until streams have sent everything that was written.
func (s *server) settle() {
	for written := time.Now().UnixMicro(); s.Status().Sparse && s.Status().Newest < written; {
		time.Sleep(50 * time.Millisecond)
	}
}

func TestMain(m *testing.M) {
	code := m.Run()
	single.stop()
	cluster.stop()
	os.Exit(code)
}

// single is one server of VictoriaLogs for all tests, and cluster one of two storage nodes. The first test that asks for one starts it.
var single, cluster = sharedProcess{}, sharedProcess{nodes: 2}

type sharedProcess struct {
	nodes int

	once      sync.Once
	processes []*process // the last one answers queries
	dir       string
}

func (s *sharedProcess) url(t testing.TB) string {
	t.Helper()
	binary := victoriaLogs(t)
	s.once.Do(func() {
		dir, err := os.MkdirTemp("", "victorialogs")
		require.NoError(t, err)
		s.dir = dir
		var urls []string
		for i := range s.nodes + 1 {
			in := filepath.Join(dir, strconv.Itoa(i))
			require.NoError(t, os.Mkdir(in, 0o700))
			var nodes []string
			if i == s.nodes {
				nodes = urls
			}
			one := runVictoriaLogs(t, binary, in, nodes...)
			s.processes, urls = append(s.processes, one), append(urls, one.url)
		}
	})
	require.Len(t, s.processes, s.nodes+1, "it did not start")
	return s.processes[s.nodes].url
}

func (s *sharedProcess) stop() {
	for _, one := range slices.Backward(s.processes) {
		one.stop()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
}

// victoriaLogs returns the path of the server, which `make victorialogs` builds.
func victoriaLogs(t testing.TB) string {
	t.Helper()
	path, err := filepath.Abs("../../../../.cache/bin/victoria-logs")
	require.NoError(t, err)
	if _, err := os.Stat(path); err != nil {
		storetest.Missing(t, "run `make victorialogs`: "+err.Error())
	}
	return path
}

type process struct {
	cmd  *exec.Cmd
	args []string
	url  string
	log  string
}

// runVictoriaLogs starts a server. With nodes, it is the one in front of these storage nodes.
func runVictoriaLogs(t testing.TB, binary, dir string, nodes ...string) *process {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0") //nolint:noctx // it is closed at once
	require.NoError(t, err)
	address := listener.Addr().String()
	require.NoError(t, listener.Close())
	p := &process{url: "http://" + address, log: filepath.Join(dir, "log"), args: []string{
		binary, "-httpListenAddr=" + address, "-storageDataPath=" + filepath.Join(dir, "data"), "-memory.allowedBytes=64MiB", "-loggerLevel=WARN",
		"-http.maxGracefulShutdownDuration=100ms",
		"-retentionPeriod=100y", "-futureRetention=100y", // the events of the tests are of one day
	}}
	for _, node := range nodes {
		p.args = append(p.args, "-storageNode="+strings.TrimPrefix(node, "http://"))
	}
	p.start(t)
	return p
}

func (p *process) start(t testing.TB) {
	t.Helper()
	log, err := os.Create(p.log)
	require.NoError(t, err)
	defer log.Close()
	p.cmd = exec.Command(p.args[0], p.args[1:]...) //nolint:noctx // it outlives the test
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.cmd.Start())
	require.Eventually(t, func() bool {
		response, err := http.Get(p.url + "/health") //nolint:noctx // of a test
		if err != nil {
			return false
		}
		defer response.Body.Close()
		return response.StatusCode == http.StatusOK
	}, 30*time.Second, 20*time.Millisecond)
}

// stop lets the server write what it has in memory.
func (p *process) stop() {
	_ = p.cmd.Process.Signal(syscall.SIGTERM)
	_ = p.cmd.Wait() // the error is the signal
}

// If one storage node of a cluster does not answer, the others do, and each answer says that it is incomplete.
func TestCluster(t *testing.T) {
	binary := victoriaLogs(t)
	var nodes []*process
	var urls []string
	for range 2 {
		node := runVictoriaLogs(t, binary, t.TempDir())
		t.Cleanup(func() { node.stop() })
		nodes, urls = append(nodes, node), append(urls, node.url)
	}
	front := runVictoriaLogs(t, binary, t.TempDir(), urls...)
	t.Cleanup(front.stop)
	s := startVictoriaLogs(t, front.url)
	for i := range 11 {
		require.NoError(t, s.Store.(visible).Store.Write(t.Context(), storetest.Logs(i*500, 500)))
	}
	require.NoError(t, s.Write(t.Context(), storetest.Logs(5500, 500)))
	require.Eventually(t, func() bool { return len(decode[Events](t, s.get("/api/events?limit=10000")).Events) == 6000 }, 30*time.Second, 50*time.Millisecond)
	all := decode[Events](t, s.get("/api/events?limit=10000"))
	require.Len(t, all.Events, 6000)
	assert.Empty(t, all.Partial)
	assert.Equal(t, int64(6000), decode[Summary](t, s.get("/api/summary")).Total)

	nodes[0].stop()
	some := decode[Events](t, s.get("/api/events?limit=10000"))
	const why = "a storage node of VictoriaLogs does not answer: its events are missing"
	assert.Equal(t, []string{why}, some.Partial)
	assert.Less(t, len(some.Events), 6000)
	assert.NotEmpty(t, some.Events)
	summary := decode[Summary](t, s.get("/api/summary?by=command"))
	assert.Equal(t, []string{why}, summary.Partial)
	assert.Equal(t, int64(len(some.Events)), summary.Total)
	assert.Equal(t, []string{why}, decode[Problems](t, s.get("/api/problems")).Partial)
	for _, path := range []string{"/api/events?format=csv", "/api/events?format=sqlite", "/api/programs", "/api/connections/summary", "/api/list-packet-drops"} {
		w := s.get(path)
		assert.Equal(t, http.StatusOK, w.Code, path)
		assert.Equal(t, why, w.Header().Get("Event-Store-Partial"), path)
	}
	stream := (&known{server: s}).ask("/api/events/stream", "")
	assert.Contains(t, stream.Body.String(), ": partial: "+why+"\n\n")
	assert.NoError(t, s.Store.(visible).Store.Write(t.Context(), storetest.Logs(6000, 500)), "the other node takes them")

	nodes[0].start(t)
	assert.Eventually(t, func() bool {
		answer := decode[Events](t, s.get("/api/events?limit=10000"))
		return len(answer.Events) == 6500 && answer.Partial == nil
	}, 30*time.Second, 200*time.Millisecond, "nothing was lost")
}

// Batches that VictoriaLogs refuses are retried and then counted as lost. /health reports the failure meanwhile.
func TestVictoriaLogsIsAway(t *testing.T) {
	var refuse atomic.Int32
	var batches atomic.Int32
	fake := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if code := refuse.Load(); code != 0 {
			http.Error(w, fmt.Sprint("refused by the test: ", map[int32]string{400: "the storage is in read-only mode"}[code]), int(code))
		} else if strings.HasPrefix(r.URL.Path, "/insert/") {
			batches.Add(1)
		}
	}))
	t.Cleanup(fake.Close)
	s := victorialogs.Open(victorialogs.Settings{Endpoint: fake.URL, Client: &http.Client{}, Logger: zap.NewNop(), Patience: time.Second})
	served := serve(t, s, t.TempDir())
	require.NoError(t, s.Write(t.Context(), storetest.Logs(0, 100)))
	refuse.Store(503)
	assert.ErrorContains(t, s.Write(t.Context(), storetest.Logs(100, 100)), "given up after 1s")
	w := served.get("/health")
	assert.Equal(t, http.StatusServiceUnavailable, w.Code)
	assert.Contains(t, w.Body.String(), "events are not stored: given up after 1s: VictoriaLogs answers 503: refused by the test")
	assert.Equal(t, http.StatusInternalServerError, served.get("/api/events").Code)
	time.AfterFunc(300*time.Millisecond, func() { refuse.Store(0) })
	assert.NoError(t, s.Write(t.Context(), storetest.Logs(200, 100)), "a short time without it loses nothing")
	assert.NoError(t, s.Status().Failure)
	refuse.Store(400)
	began := time.Now()
	assert.Error(t, s.Write(t.Context(), storetest.Logs(300, 100)))
	assert.Less(t, time.Since(began), time.Second, "what is refused for good is not tried again")
	assert.Equal(t, map[string]int64{"disk_full": 100, "error": 100}, s.Status().Lost)
	assert.Equal(t, int64(200), s.Status().Stored)
	assert.Equal(t, int32(2), batches.Load())
}

// A hostile text in a parameter has the same answer as from files, or is refused.
func TestHostileTexts(t *testing.T) { eachServer(t, testHostileTexts) }

func testHostileTexts(t *testing.T, s *server) {
	k := know(t, s)
	for op := range uint8(3) {
		for i, name := range filterNames {
			for j, text := range hostile {
				if (i+j+int(op))%5 == 0 { // each text with some parameters, each parameter with some texts
					k.check(t, op, fmt.Sprintf("%s=%s", name, escape(text)))
				}
			}
		}
	}
}

// The oldest event is known as soon as it is written. The server itself finds it later, and is asked once a minute.
func TestOldestIsTheEarliestWritten(t *testing.T) { each(t, testOldestIsTheEarliestWritten) }

func testOldestIsTheEarliestWritten(t *testing.T, s *server) {
	require.NoError(t, s.Write(t.Context(), storetest.Logs(100, 10)))
	require.Equal(t, storetest.Start.Add(100*time.Millisecond).UnixNano(), s.Status().Oldest)
	require.NoError(t, s.Write(t.Context(), storetest.Logs(50, 10)))
	assert.Equal(t, storetest.Start.Add(50*time.Millisecond).UnixNano(), s.Status().Oldest)
	require.NoError(t, s.Write(t.Context(), storetest.Logs(200, 10)))
	assert.Equal(t, storetest.Start.Add(50*time.Millisecond).UnixNano(), s.Status().Oldest)
}
