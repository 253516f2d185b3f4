// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/plog"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/internal/tracefstest"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

const (
	deleteEvent     = "ebpf.file.delete"
	openEvent       = "ebpf.file.open"
	deletionsMetric = "ebpf.file.deletions"
	opensMetric     = "ebpf.file.opens"
	// Other processes of this host delete files, too.
	onlyFile = "programs: {file: {event_limit: 1000000}}"
)

func init() {
	counts("file", forContainer{
		settings: "{opens: {paths: [/]}}",
		act: func(t *testing.T, p place) {
			path := filepath.Join(t.TempDir(), "file")
			require.Zero(t, p.agent.CallFile(traffic.FileCall{Call: "creat", Path: path}).Errno)
			require.Zero(t, p.agent.CallFile(traffic.FileCall{Call: "unlink", Path: path}).Errno)
		},
		metrics: []string{deletionsMetric, opensMetric},
	})
}

// fileTest is an agent in a container that works on files, and a receiver with program file.
type fileTest struct {
	*testreceiver.Receiver
	agent     *traffic.Agent
	container *testhost.Cgroup
	// seesCalls reports that the program hooks system calls, and not the functions behind them.
	seesCalls bool
	// want has the expected counts by series.
	want map[string]int
}

func newFileTest(t *testing.T, config string, options ...traffic.Option) *fileTest {
	t.Helper()
	testnet.Require(t)
	tracefstest.Mount(t)
	s := &fileTest{container: testhost.NewContainer(t), want: map[string]int{}}
	s.agent = traffic.Start(t, testnet.NewNamespace(t), append(options, traffic.In(s.container))...)
	s.Receiver = testreceiver.Start(t, config)
	states := s.Wait(t, 1, testreceiver.Named(stateEvent), testreceiver.With("ebpf.program.name", "file"), testreceiver.With("ebpf.program.state", "attached"))
	s.seesCalls = !strings.HasPrefix(states[0].Attributes["ebpf.program.hook"].(string), "fexit/")
	return s
}

// file returns the attributes of a file; "" stands for an unknown path.
func file(path string) attributes {
	if path == "" {
		return attributes{}
	}
	return attributes{"file.path": path, "file.name": filepath.Base(path)}
}

// process returns the attributes of the agent's process.
func (s *fileTest) process() attributes {
	a := owner(s.agent, "")
	delete(a, "ebpf.attribution")
	a["process.linux.cgroup"] = "0::" + s.container.Path
	return a
}

// deletion is a call that may delete a file, and its expected result.
type deletion struct {
	traffic.FileCall
	errno unix.Errno
	// path is the file's path, "" if unknown. kind is the kind of deletion. A call without a kind has no event.
	path, kind string
	// called is the path in the call, if it is different.
	called string
	// onlyCalls says that there is an event only if the program hooks system calls: the functions behind them are not
	// reached.
	onlyCalls bool
}

// fileDeleted has the expected fields of a deletion event.
type fileDeleted struct {
	kind, path string
	errno      unix.Errno
	// uncertain says that the event is marked as possibly without a file.
	uncertain bool
}

// expected returns the expected event of the deletion, or nil. It depends on whether the program hooks calls or
// functions.
func (d deletion) expected(seesCalls bool) *fileDeleted {
	if d.kind == "" || d.onlyCalls && !seesCalls {
		return nil
	}
	e := &fileDeleted{kind: d.kind, path: d.path, errno: d.errno}
	if seesCalls && d.called != "" {
		e.path = d.called
	}
	// The call of a successful rename does not show whether there was a file.
	e.uncertain = seesCalls && d.kind == "rename" && d.errno == 0
	return e
}

// errorType is the error.type of a deletion that failed, or "".
func (e fileDeleted) errorType() string {
	if e.errno == 0 {
		return ""
	}
	return strings.ToLower(unix.ErrnoName(e.errno))
}

// attributes are the event's attributes without those of the process.
func (e fileDeleted) attributes() attributes {
	a := file(e.path).with(attributes{"ebpf.file.deletion.kind": e.kind})
	if e.errno != 0 {
		a["error.type"] = e.errorType()
	}
	if e.uncertain {
		a["ebpf.file.deletion.uncertain"] = true
	}
	return a
}

func (e fileDeleted) severity() plog.SeverityNumber {
	if e.errno != 0 {
		return plog.SeverityNumberWarn
	}
	return plog.SeverityNumberInfo
}

// series names the series of the metric that counts the deletion.
func (e fileDeleted) series() string { return deletionSeries(e.kind, e.errorType(), e.uncertain) }

func deletionSeries(kind, errorType string, uncertain bool) string {
	name := strings.TrimSpace(kind + " " + errorType)
	if uncertain {
		name += " uncertain"
	}
	return name
}

// deletes makes the agent perform the calls, one after the other, and checks every field of the resulting events.
func (s *fileTest) deletes(t *testing.T, deletions ...deletion) {
	t.Helper()
	for _, d := range deletions {
		expected := []*fileDeleted{{kind: "unlink", path: s.markerPath()}}
		if e := d.expected(s.seesCalls); e != nil {
			expected = append([]*fileDeleted{e}, expected...)
		}
		call, events := s.call(t, d, len(expected))
		for i, e := range expected {
			want := s.process().with(e.attributes())
			if d.ByRing && !s.seesCalls && i < len(expected)-1 {
				want["thread.name"] = worker(t, s.agent, events[i])
			}
			check(t, events[i], deleteEvent, e.severity(), want)
			s.want[e.series()]++
		}
		if len(expected) == 1 {
			continue
		}
		if path := expected[0].path; !strings.ContainsAny(path, "\n") {
			assert.Contains(t, events[0].Body, path)
		}
		assert.Equal(t, resource(s.container), events[0].Resource)
		within(t, events[0], call.Start, call.End)
	}
}

// call makes the agent perform the call of a deletion, and then delete the marker. Events after the marker's event are of
// later calls. It returns all events of both, as many as expected.
func (s *fileTest) call(t *testing.T, d deletion, expected int) (traffic.Called, []testreceiver.Event) {
	t.Helper()
	ofAgent := []testreceiver.Match{testreceiver.Named(deleteEvent), testreceiver.OfProcess(s.agent.PID)}
	before := len(s.Events.Matching(ofAgent...))
	called := s.agent.CallFile(d.FileCall)
	require.Equal(t, d.errno, called.Errno, "%+v", d)
	require.Zero(t, s.agent.CallFile(traffic.FileCall{Call: "unlink", Path: s.makeMarker(t)}).Errno)
	events := s.Wait(t, before+expected, ofAgent...)[before:]
	require.Len(t, events, expected, "%+v", d)
	return called, events
}

// worker returns the name of the thread that performed the io_uring request. It may be a kernel worker of the process.
func worker(t *testing.T, a *traffic.Agent, e testreceiver.Event) any {
	t.Helper()
	name := e.Attributes["thread.name"]
	assert.True(t, name == a.Thread || strings.HasPrefix(fmt.Sprint(name), "iou-wrk-") || strings.HasPrefix(fmt.Sprint(name), "io_wqe_worker"), name)
	return name
}

func (s *fileTest) markerPath() string {
	return filepath.Join(os.TempDir(), fmt.Sprintf("marker-%d", s.agent.PID))
}

// makeMarker makes a file that the agent may delete, and returns its path.
func (s *fileTest) makeMarker(t *testing.T) string {
	t.Helper()
	path := s.markerPath()
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	require.NoError(t, os.Chown(path, s.agent.UID, -1))
	t.Cleanup(func() { _ = os.Remove(path) })
	return path
}

// checkCounts checks that the metric of the container has counted each deletion.
func (s *fileTest) checkCounts(t *testing.T) {
	t.Helper()
	got := map[string]int{}
	for _, series := range s.Scrape(t).In(s.container).Series(deletionsMetric) {
		a := series.Attributes
		got[deletionSeries(a["ebpf.file.deletion.kind"], a["error.type"], a["ebpf.file.deletion.uncertain"] == "true")] += series.Value
	}
	assert.Equal(t, s.want, got)
}

// touch creates files, and folders if the name ends in a slash, and returns their path.
func touch(t *testing.T, dir string, names ...string) string {
	t.Helper()
	for _, name := range names {
		path := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			require.NoError(t, os.MkdirAll(path, 0o777))
			require.NoError(t, os.Chmod(path, 0o777))
			continue
		}
		require.NoError(t, os.WriteFile(path, nil, 0o666))
		require.NoError(t, os.Chmod(path, 0o666))
	}
	return dir
}
