// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeTree is a hierarchy of cgroups in memory.
type fakeTree struct {
	paths map[uint64]string
	// err is the result of opening any cgroup by its id.
	err error
	// opened and walked count the calls.
	opened, walked int
	walkErr        error
	// run is the path of a cgroup whose processes a runtime has started.
	run    string
	closed bool
}

func (f *fakeTree) path(id uint64) (string, error) {
	f.opened++
	if f.err != nil {
		return "", f.err
	}
	if path, ok := f.paths[id]; ok {
		return path, nil
	}
	return "", errCgroupGone
}

func (f *fakeTree) walk(limit int, visit func(id uint64, path string)) error {
	f.walked++
	for id, path := range f.paths {
		if limit--; limit < 0 {
			break
		}
		visit(id, path)
	}
	return f.walkErr
}

func (f *fakeTree) runs(path string) bool { return path == f.run }

func (f *fakeTree) close() error {
	f.closed = true
	return nil
}

func dockerPath(n int) string { return fmt.Sprintf("/docker/%064x", n) }

func TestContainersKnowWhatWasThere(t *testing.T) {
	tree := &fakeTree{paths: map[uint64]string{
		1: "/", 2: "/system.slice/sshd.service", 3: "/docker/" + id, 4: "/docker/" + id + "/init.scope", 5: "/docker/" + otherID,
	}}
	c, err := openContainers(tree, "/sys/fs/cgroup", AllFields)
	require.NoError(t, err)
	assert.Equal(t, "/sys/fs/cgroup", c.Mount())
	assert.Equal(t, 5, c.Len())

	assert.Nil(t, c.Lookup(0))
	assert.Nil(t, c.Lookup(1))
	assert.Equal(t, &Container{Unit: "sshd.service", CgroupPath: "0::/system.slice/sshd.service"}, c.Lookup(2))
	assert.Equal(t, &Container{ID: id, CgroupPath: "0::/docker/" + id}, c.Lookup(3))
	assert.Same(t, c.Lookup(3), c.Lookup(4), "cgroups of one container share it")
	assert.NotSame(t, c.Lookup(3), c.Lookup(5))
	assert.Zero(t, tree.opened)
	noAllocations(t, func() { c.Lookup(1); c.Lookup(4) })

	for begin, found := range map[string]bool{id: true, id[:12]: true, "99": false, id + "0": false} {
		assert.Equal(t, found, c.Has(begin), begin)
	}

	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	assert.True(t, tree.closed)
	assert.NotNil(t, c.Lookup(3), "known cgroups are kept")
	assert.Nil(t, c.Lookup(99))
}

// If the name of a cgroup does not show that it is a container, the process that made it does, or the parent of its processes.
func TestContainersWithNames(t *testing.T) {
	tree := &fakeTree{run: "/default/web", paths: map[uint64]string{
		2: "/default", 3: "/default/web", 4: "/default/web/init.scope", 5: "/default/other",
	}}
	c := NewContainers(AllFields)
	c.tree = tree
	for id := range uint64(4) {
		c.Find(id + 2)
	}
	web := &Container{ID: "web", CgroupPath: "0::/default/web"}
	assert.Nil(t, c.Lookup(2))
	assert.Equal(t, web, c.Lookup(3))
	assert.Same(t, c.Lookup(3), c.Lookup(4), "what a container makes below its own cgroup")
	assert.Nil(t, c.Lookup(5))
	c.AddByRuntime(5, "/default/other")
	assert.Equal(t, &Container{ID: "other", CgroupPath: "0::/default/other"}, c.Lookup(5), "found before the record of its creation")

	c.AddByRuntime(6, "/team")
	c.AddByRuntime(7, "/team/api")
	c.Add(8, "/team/api/worker")
	c.Add(9, "/user.slice/other")
	c.AddByRuntime(10, "/system.slice/runc.service")
	c.AddByRuntime(11, "/docker/"+id)
	c.AddByRuntime(12, "/team/deep/er")
	assert.Nil(t, c.Lookup(6))
	assert.Equal(t, &Container{ID: "api", CgroupPath: "0::/team/api"}, c.Lookup(7))
	assert.Same(t, c.Lookup(7), c.Lookup(8))
	for _, cgroup := range []uint64{9, 12} {
		assert.Nil(t, c.Lookup(cgroup), "%d", cgroup)
	}
	assert.Equal(t, "runc.service", c.Lookup(10).Unit)
	assert.Equal(t, id, c.Lookup(11).ID)
}

func TestContainersOpenError(t *testing.T) {
	tree := &fakeTree{walkErr: errors.New("no rights")}
	_, err := openContainers(tree, "/sys/fs/cgroup", AllFields)
	require.ErrorIs(t, err, tree.walkErr)
	assert.True(t, tree.closed)
}

func TestContainersAddAndRemove(t *testing.T) {
	c := NewContainers(AllFields)
	assert.Empty(t, c.Mount())
	c.Add(3, "/docker/"+id)
	c.Add(4, "/docker/"+id+"/init.scope")
	container := c.Lookup(3)
	require.NotNil(t, container)

	c.Remove(3)
	c.Remove(3)
	c.Remove(99)
	assert.Same(t, container, c.Lookup(3), "late events still need the container")
	assert.Same(t, container, c.Lookup(4))
	assert.Len(t, c.removed, 1)
	assert.True(t, c.Gone(3))
	assert.False(t, c.Gone(4))
	assert.False(t, c.Gone(99), "its removal was not reported")
	require.NoError(t, c.Close())
}

// A watch is notified of selected containers and units, known and later ones, however they are found, with any kept fields.
func TestContainersWatch(t *testing.T) {
	tree := &fakeTree{paths: map[uint64]string{1: "/docker/" + id, 2: "/system.slice/nginx.service", 3: "/system.slice/sshd.service", 4: "/"}}
	c, err := openContainers(tree, "", ContainerFields{})
	require.NoError(t, err)
	var added []uint64
	stop := c.Watch(func(container Container) bool { return container.ID == id || container.Unit == "nginx.service" },
		func(id uint64) { added = append(added, id) })
	assert.ElementsMatch(t, []uint64{1, 2}, added)

	added = nil
	c.Add(5, "/docker/"+id+"/nested")
	c.Add(6, "/docker/"+strings.Repeat("e", 64))
	c.Add(7, "/system.slice/nginx.service/worker")
	tree.paths[8] = "/system.slice/docker-" + id + ".scope"
	c.Find(8)
	assert.Equal(t, []uint64{5, 7, 8}, added)

	stop()
	c.Add(9, "/docker/"+id+"/later")
	assert.Len(t, added, 3)
	require.NoError(t, c.Close())
}

func TestContainersAskForTheUnknown(t *testing.T) {
	tree := &fakeTree{paths: map[uint64]string{}}
	c, err := openContainers(tree, "", AllFields)
	require.NoError(t, err)

	tree.paths[7] = "/docker/" + id
	require.NotNil(t, c.Lookup(7))
	require.NotNil(t, c.Lookup(7))
	assert.Equal(t, 1, tree.opened)

	assert.Nil(t, c.Lookup(8))
	assert.Nil(t, c.Lookup(8))
	assert.True(t, c.Gone(8))
	assert.Equal(t, 2, tree.opened, "a removed cgroup is looked up once")
	noAllocations(t, func() { c.Lookup(8) })

	// It was not removed: its creation is read after its first event.
	c.Add(8, "/docker/"+otherID)
	require.NotNil(t, c.Lookup(8))
	assert.Equal(t, otherID, c.Lookup(8).ID)
	assert.Equal(t, 1, tree.walked, "there is only the first walk")
}

func TestContainersWithoutTheRightToAsk(t *testing.T) {
	now := time.Unix(1000, 0)
	tree := &fakeTree{paths: map[uint64]string{}, err: errNoHandles}
	c, err := openContainers(tree, "", AllFields)
	require.NoError(t, err)
	c.now, c.walkedAt = func() time.Time { return now }, now

	tree.paths[7] = "/docker/" + id
	assert.Nil(t, c.Lookup(7), "the last walk is too recent")
	now = now.Add(walkInterval)
	require.NotNil(t, c.Lookup(7))
	assert.Nil(t, c.Lookup(8))
	assert.Equal(t, 1, tree.opened)
	assert.Equal(t, 2, tree.walked)
}

func TestContainersTryAgainAfterAFailure(t *testing.T) {
	tree := &fakeTree{paths: map[uint64]string{}, err: errors.New("too many open files")}
	c, err := openContainers(tree, "", AllFields)
	require.NoError(t, err)
	assert.Nil(t, c.Lookup(7))
	tree.err, tree.paths[7] = nil, "/docker/"+id
	assert.NotNil(t, c.Lookup(7))
}

func TestContainersAreBounded(t *testing.T) {
	c := NewContainers(AllFields)
	for i := range maxCgroups {
		c.Add(uint64(i+1), dockerPath(i))
	}
	c.Remove(20)
	c.Remove(10)
	c.Add(1<<32, dockerPath(1<<32))
	assert.Equal(t, maxCgroups, c.Len())
	assert.Nil(t, c.Lookup(20), "the one removed first is forgotten first")
	assert.NotNil(t, c.Lookup(10))
	c.Add(1<<32+1, dockerPath(1<<32+1))
	assert.Nil(t, c.Lookup(10))

	// If none was removed, any cgroup is forgotten.
	for i := range 100 {
		c.Add(uint64(1<<33+i), dockerPath(1<<33+i))
		require.NotNil(t, c.Lookup(uint64(1<<33+i)))
	}
	assert.Equal(t, maxCgroups, c.Len())
	assert.Len(t, c.shared, maxCgroups, "containers are forgotten with their last cgroup")
}

func TestContainersChurn(t *testing.T) {
	c := NewContainers(AllFields)
	for i := range 4 * maxCgroups {
		c.Add(uint64(i+1), dockerPath(i))
		c.Remove(uint64(i + 1))
	}
	assert.Equal(t, maxCgroups, c.Len())
	assert.Len(t, c.shared, maxCgroups)
	assert.Len(t, c.removed, maxCgroups)
	assert.Less(t, cap(c.removed), 4*maxCgroups)
}

func TestContainersConcurrently(t *testing.T) {
	c, err := openContainers(&fakeTree{paths: map[uint64]string{5: "/docker/" + id}}, "", AllFields)
	require.NoError(t, err)
	var wg sync.WaitGroup
	for n := range 4 {
		wg.Go(func() {
			for i := range 1000 {
				c.Add(uint64(n*1000+i), dockerPath(i))
				c.Lookup(uint64(i))
				c.Remove(uint64(i))
			}
		})
	}
	wg.Wait()
}

func BenchmarkContainersLookup(b *testing.B) {
	c := NewContainers(AllFields)
	for i := range 1000 {
		c.Add(uint64(i), dockerPath(i))
	}
	b.ReportAllocs()
	for i := range b.N {
		c.Lookup(uint64(i % 1000))
	}
}

func BenchmarkContainersAdd(b *testing.B) {
	c := NewContainers(AllFields)
	path := "/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod" + podUnit + ".slice/cri-containerd-" + id + ".scope"
	b.ReportAllocs()
	for i := range b.N {
		c.Add(uint64(i+1), path)
		c.Remove(uint64(i + 1))
	}
}

// The number of units with resources is bounded. Further ones belong to the host, until others are gone.
func TestUnitsAreBounded(t *testing.T) {
	c := NewContainers(AllFields)
	const first = 100
	for i := range uint64(maxUnits) {
		c.Add(first+i, fmt.Sprintf("/system.slice/unit-%d.service", i))
	}
	last, more := uint64(first+maxUnits), uint64(first+maxUnits+1)
	c.Add(last, "/system.slice/one-too-many.service")
	assert.Nil(t, c.Lookup(last))
	c.Add(more, "/system.slice/unit-7.service/below")
	assert.Same(t, c.Lookup(first+7), c.Lookup(more), "a known unit")
	c.mu.Lock()
	c.forget(first)
	c.mu.Unlock()
	c.Add(first, "/system.slice/another.service")
	assert.Equal(t, "another.service", c.Lookup(first).Unit)
}

// Containers that do not differ in the kept fields are one. It lives as long as any of them.
func TestContainersThatDoNotDiffer(t *testing.T) {
	const pod = "/kubepods/pod00000000-1111-2222-3333-444444444444/"
	const uid = "00000000-1111-2222-3333-444444444444"
	other := strings.Repeat("c", 64)
	const first, second, alone, service = 10, 20, 30, 40
	for name, tt := range map[string]struct {
		kept                 ContainerFields
		first, second, alone *Container
		service              *Container
	}{
		"nothing": {},
		"pod":     {kept: ContainerFields{PodUID: true}, first: &Container{PodUID: uid}, second: &Container{PodUID: uid}},
		"id": {
			kept:  ContainerFields{ID: true},
			first: &Container{ID: id}, second: &Container{ID: otherID}, alone: &Container{ID: other},
		},
		"path": {
			kept:  ContainerFields{CgroupPath: true},
			first: &Container{CgroupPath: "0::" + pod + id}, second: &Container{CgroupPath: "0::" + pod + otherID},
			alone: &Container{CgroupPath: "0::/docker/" + other},
		},
		"all": {
			kept:  AllFields,
			first: &Container{id, uid, "0::" + pod + id, ""}, second: &Container{otherID, uid, "0::" + pod + otherID, ""},
			alone: &Container{other, "", "0::/docker/" + other, ""}, service: &Container{Unit: "sshd.service", CgroupPath: "0::/system.slice/sshd.service"},
		},
		"units": {kept: ContainerFields{Unit: true}, service: &Container{Unit: "sshd.service"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := NewContainers(tt.kept)
			c.Add(first, pod+id)
			c.Add(second, pod+otherID)
			c.Add(alone, "/docker/"+other)
			c.Add(service, "/system.slice/sshd.service")
			for cgroup, want := range map[uint64]*Container{first: tt.first, second: tt.second, alone: tt.alone, service: tt.service} {
				assert.Equal(t, want, c.Lookup(cgroup), "%d", cgroup)
				assert.True(t, c.Lives(cgroup), "%d", cgroup)
			}
			assert.True(t, c.Has(otherID), "known, whichever fields are kept")
			assert.Equal(t, "0::"+pod+id, c.Path(first))

			shared := tt.first != nil && *tt.first == *tt.second
			assert.Equal(t, shared || tt.first == nil, c.Lookup(first) == c.Lookup(second))
			c.Remove(first)
			assert.Equal(t, shared, c.Lives(first))
			assert.True(t, c.Lives(second))
			c.Remove(second)
			assert.False(t, c.Lives(first))
			assert.False(t, c.Lives(second))
			c.Add(first, pod+id) // once more
			assert.True(t, c.Lives(first))
			for _, cgroup := range []uint64{first, second, alone, service} {
				c.forget(cgroup)
			}
			assert.Empty(t, c.resources)
			assert.Empty(t, c.shared)
		})
	}
}
