// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package metrics

import (
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel/kerneltest"
)

type testKey struct {
	Cgroup uint64
	Kind   uint64
}

type testValue struct{ N, Bytes uint64 }

// testSeries is a series: all cgroups of a container are one, and so are all cgroups of the host.
type testSeries struct {
	container *kernel.Container
	kind      uint64
}

func newTestMap(t *testing.T, kind ebpf.MapType, entries uint32) *ebpf.Map {
	t.Helper()
	kerneltest.Require(t)
	kerneltest.LeavesNothing(t)
	m, err := ebpf.NewMap(&ebpf.MapSpec{Name: "numbers", Type: kind, KeySize: 16, ValueSize: 16, MaxEntries: entries})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, m.Close()) })
	return m
}

func newTestSeries(fate func(*Builder, *testKey, *testValue) Fate) *Series[testKey, testSeries, testValue] {
	return &Series[testKey, testSeries, testValue]{Fate: fate}
}

func testSeriesOf(group Group, key *testKey) testSeries { return testSeries{group.Container, key.Kind} }

func keepAll(*Builder, *testKey, *testValue) Fate { return Keep }

// byCgroup is the default fate.
var byCgroup func(*Builder, *testKey, *testValue) Fate

func scrapeSeries(t *testing.T, s *Series[testKey, testSeries, testValue], containers *kernel.Containers) map[testSeries]testValue {
	t.Helper()
	sums, err := s.Scrape(NewBuilder(0, 0, containers, nil))
	require.NoError(t, err)
	got := map[testSeries]testValue{}
	for series, sum := range sums {
		got[series] = *sum
	}
	return got
}

// The cgroups of the tests: two of a container, two of the host.
const (
	web uint64 = 1<<48 + iota
	webChild
	sshd
	session
)

func testContainers() *kernel.Containers {
	containers := kernel.NewContainers(kernel.AllFields)
	container := "/docker/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	containers.Add(web, container)
	containers.Add(webChild, container+"/worker")
	containers.Add(sshd, "/sshd")
	containers.Add(session, "/session")
	return containers
}

func put(t *testing.T, m *ebpf.Map, key testKey, values ...testValue) {
	t.Helper()
	if m.Type() == ebpf.PerCPUHash {
		cpus := ebpf.MustPossibleCPU()
		require.Greater(t, cpus, 1, "needs several CPUs to test sums")
		perCPU := make([]testValue, cpus)
		perCPU[0] = values[0]
		if len(values) > 1 {
			perCPU[cpus-1] = values[1]
		}
		require.NoError(t, m.Put(&key, perCPU))
		return
	}
	require.Len(t, values, 1)
	require.NoError(t, m.Put(&key, &values[0]))
}

func TestSeriesOfAllCPUs(t *testing.T) {
	containers := testContainers()
	m := newTestMap(t, ebpf.PerCPUHash, 10)
	s := newTestSeries(keepAll)
	require.NoError(t, s.Loaded(m, testSeriesOf, testKey{Cgroup: OverflowCgroup}))
	assert.Empty(t, scrapeSeries(t, s, containers), "the overflow entry has no counts")

	put(t, m, testKey{web, 1}, testValue{1, 10}, testValue{2, 20})
	put(t, m, testKey{webChild, 1}, testValue{4, 40}, testValue{})
	put(t, m, testKey{web, 2}, testValue{}, testValue{8, 80})
	put(t, m, testKey{sshd, 1}, testValue{16, 160}, testValue{})
	put(t, m, testKey{0, 1}, testValue{}, testValue{32, 320})
	put(t, m, testKey{session, 1}, testValue{}, testValue{})
	container := containers.Lookup(web)
	assert.Equal(t, map[testSeries]testValue{
		{container, 1}: {7, 70}, {container, 2}: {8, 80}, {nil, 1}: {48, 480},
	}, scrapeSeries(t, s, containers))
}

func TestSeriesSharedByCPUs(t *testing.T) {
	containers := testContainers()
	m := newTestMap(t, ebpf.Hash, 10)
	s := newTestSeries(keepAll)
	require.NoError(t, s.Loaded(m, testSeriesOf, testKey{Cgroup: OverflowCgroup}))
	put(t, m, testKey{web, 1}, testValue{1, 2})
	put(t, m, testKey{webChild, 1}, testValue{3, 4})
	assert.Equal(t, map[testSeries]testValue{{containers.Lookup(web), 1}: {4, 6}}, scrapeSeries(t, s, containers))
}

// Counts of a container end with it. Counts of another cgroup stay part of the host's.
func TestSeriesOfWhatIsGone(t *testing.T) {
	for _, kind := range []ebpf.MapType{ebpf.PerCPUHash, ebpf.Hash} {
		t.Run(kind.String(), func(t *testing.T) {
			containers := testContainers()
			m := newTestMap(t, kind, 10)
			s := newTestSeries(byCgroup)
			require.NoError(t, s.Loaded(m, testSeriesOf, testKey{Cgroup: OverflowCgroup}))
			put(t, m, testKey{web, 1}, testValue{1, 10})
			put(t, m, testKey{sshd, 1}, testValue{2, 20})
			put(t, m, testKey{session, 1}, testValue{4, 40})
			container := containers.Lookup(web)
			all := map[testSeries]testValue{{container, 1}: {1, 10}, {nil, 1}: {6, 60}}
			for range 2 * scrapesKept {
				require.Equal(t, all, scrapeSeries(t, s, containers))
			}

			// If a nested cgroup is removed, its counts stay with the container.
			put(t, m, testKey{webChild, 1}, testValue{8, 80})
			all[testSeries{container, 1}] = testValue{9, 90}
			containers.Remove(webChild)
			for range 2 * scrapesKept {
				require.Equal(t, all, scrapeSeries(t, s, containers))
			}
			assert.ElementsMatch(t, []uint64{OverflowCgroup, sshd, session, web}, cgroupsIn(t, m))

			containers.Remove(web)
			containers.Remove(session)
			for range scrapesKept {
				require.Equal(t, all, scrapeSeries(t, s, containers), "its last counts are still reported")
			}
			require.Equal(t, all, scrapeSeries(t, s, containers), "the scrape that removes it still reports it")
			delete(all, testSeries{container, 1})
			for range 2 {
				require.Equal(t, all, scrapeSeries(t, s, containers))
			}
			assert.Empty(t, s.gone)
			assert.Len(t, s.merged, 1, "merged counts of the container end with it")
			assert.ElementsMatch(t, []uint64{OverflowCgroup, sshd}, cgroupsIn(t, m))

			// A late count is added to the merged counts.
			put(t, m, testKey{session, 1}, testValue{8, 80})
			for range 2 * scrapesKept {
				require.Equal(t, map[testSeries]testValue{{nil, 1}: {14, 140}}, scrapeSeries(t, s, containers))
			}
		})
	}
}

// If only the pod distinguishes a pod's containers, they are one series, which does not fall when one of them is removed. If
// nothing distinguishes them, they are part of the host's series.
func TestSeriesOfContainersThatDoNotDiffer(t *testing.T) {
	const pod = "/kubepods/pod00000000-1111-2222-3333-444444444444/"
	const first, second = 1<<50 + 1, 1<<50 + 2
	for name, kept := range map[string]kernel.ContainerFields{"pod": {PodUID: true}, "nothing": {}} {
		t.Run(name, func(t *testing.T) {
			containers := kernel.NewContainers(kept)
			containers.Add(first, pod+strings.Repeat("a", 64))
			containers.Add(second, pod+strings.Repeat("b", 64))
			m := newTestMap(t, ebpf.Hash, 10)
			s := newTestSeries(byCgroup)
			require.NoError(t, s.Loaded(m, testSeriesOf))
			put(t, m, testKey{first, 1}, testValue{1, 10})
			put(t, m, testKey{second, 1}, testValue{2, 20})
			one := containers.Lookup(first)
			require.Equal(t, kept.PodUID, one != nil)
			all := map[testSeries]testValue{{one, 1}: {3, 30}}
			scrape := func(times int) {
				for range times {
					require.Equal(t, all, scrapeSeries(t, s, containers))
				}
			}
			scrape(2)
			containers.Remove(first)
			scrape(2 * scrapesKept)
			assert.Equal(t, []uint64{second}, cgroupsIn(t, m))
			put(t, m, testKey{second, 1}, testValue{6, 60})
			all[testSeries{one, 1}] = testValue{7, 70}
			scrape(2)
			containers.Remove(second)
			scrape(scrapesKept + 1)
			if kept.PodUID {
				all = map[testSeries]testValue{}
			}
			scrape(2 * scrapesKept)
			assert.Empty(t, cgroupsIn(t, m))
			assert.Len(t, s.merged, len(all))
		})
	}
}

// Counts whose key is not a cgroup end when their object is removed, including merged ones.
func TestSeriesForget(t *testing.T) {
	containers := testContainers()
	m := newTestMap(t, ebpf.Hash, 10)
	s := newTestSeries(byCgroup)
	require.NoError(t, s.Loaded(m, testSeriesOf))
	put(t, m, testKey{session, 1}, testValue{1, 10})
	put(t, m, testKey{session, 2}, testValue{2, 20})
	containers.Remove(session)
	all := map[testSeries]testValue{{nil, 1}: {1, 10}, {nil, 2}: {2, 20}}
	for range scrapesKept + 2 {
		require.Equal(t, all, scrapeSeries(t, s, containers))
	}
	s.Forget(func(one testSeries) bool { return one.kind == 2 })
	delete(all, testSeries{nil, 2})
	assert.Equal(t, all, scrapeSeries(t, s, containers))
}

func TestSeriesThatAreKeptForTheirValue(t *testing.T) {
	containers := testContainers()
	m := newTestMap(t, ebpf.Hash, 10)
	s := newTestSeries(func(m *Builder, key *testKey, value *testValue) Fate {
		if value.N != value.Bytes {
			return Keep
		}
		return m.Fate(key.Cgroup)
	})
	require.NoError(t, s.Loaded(m, testSeriesOf))
	containers.Remove(web)
	containers.Remove(webChild)
	put(t, m, testKey{web, 1}, testValue{1, 0})
	for range 3 * scrapesKept {
		require.Len(t, scrapeSeries(t, s, containers), 1)
	}
	// A key that comes back in time gets all of its last scrapes again.
	for range 2 {
		put(t, m, testKey{web, 1}, testValue{1, 1})
		for range scrapesKept {
			require.Len(t, scrapeSeries(t, s, containers), 1)
		}
		put(t, m, testKey{web, 1}, testValue{2, 1})
		require.Len(t, scrapeSeries(t, s, containers), 1)
	}
	put(t, m, testKey{web, 1}, testValue{2, 2})
	for range scrapesKept + 1 {
		require.Len(t, scrapeSeries(t, s, containers), 1)
	}
	assert.Empty(t, scrapeSeries(t, s, containers))
}

// A key without a cgroup is never removed, whatever is known about its id.
func TestFateOfNoCgroup(t *testing.T) {
	containers := testContainers()
	m := NewBuilder(0, 0, containers, nil)
	containers.Remove(webChild)
	for id, want := range map[uint64]Fate{0: Keep, OverflowCgroup: Keep, session: Merge, web: Remove} {
		containers.Add(id, containers.Path(id))
		assert.Equal(t, Keep, m.Fate(id), "%#x", id)
		containers.Remove(id)
		assert.Equal(t, want, m.Fate(id), "%#x", id)
	}
}

func TestSeriesErrors(t *testing.T) {
	for _, kind := range []ebpf.MapType{ebpf.PerCPUHash, ebpf.Hash} {
		m := newTestMap(t, kind, 1)
		s := newTestSeries(keepAll)
		require.ErrorContains(t, s.Loaded(m, testSeriesOf, testKey{1, 1}, testKey{2, 2}), "write to map "+kind.String()+"(numbers)")
		require.NoError(t, m.Close())
		_, err := s.Scrape(NewBuilder(0, 0, testContainers(), nil))
		require.ErrorContains(t, err, "read map ")
	}
}

func cgroupsIn(t *testing.T, m *ebpf.Map) (cgroups []uint64) {
	t.Helper()
	var key testKey
	var next any
	for m.NextKey(next, &key) == nil {
		cgroups = append(cgroups, key.Cgroup)
		last := key
		next = &last
	}
	slices.Sort(cgroups)
	return cgroups
}

// The size of the map depends on the memory, but has a minimum for small hosts.
func TestMakeRoom(t *testing.T) {
	const histogram = 177 * 8 // bytes
	for cpus, want := range map[int]uint32{1: 1024, 2: 1024, 46: 1024, 64: 740, 128: 370, 512: 128, 8192: 128} {
		assert.Equal(t, want, roomFor(histogram, cpus), "%d CPUs", cpus)
	}
	spec := &ebpf.MapSpec{ValueSize: histogram}
	require.NoError(t, MakeRoom(spec))
	assert.Equal(t, roomFor(histogram, ebpf.MustPossibleCPU()), spec.MaxEntries)
}

// keyBehind is a key whose first field is not the cgroup.
type keyBehind struct{ Kind, Cgroup uint64 }

// The cgroup of a key is its field of that name. A key without that field belongs to the host.
func TestCgroupOfKeys(t *testing.T) {
	first, behind := Series[testKey, Group, testValue]{}, Series[keyBehind, Group, testValue]{}
	first.cgroupAt, behind.cgroupAt = cgroupOffset[testKey](), cgroupOffset[keyBehind]()
	assert.EqualValues(t, 7, first.cgroup(&testKey{Cgroup: 7, Kind: 8}))
	assert.EqualValues(t, 7, behind.cgroup(&keyBehind{Cgroup: 7, Kind: 8}))
	none := Series[testValue, Group, testValue]{cgroupAt: cgroupOffset[testValue]()}
	assert.Zero(t, none.cgroup(&testValue{7, 8}))
}
