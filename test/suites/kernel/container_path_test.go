// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

//go:build linux

package kernel

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testhost"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testnet"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testreceiver"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// newDeepContainer makes a container below so many slices. Each slice's name has 100 bytes.
func newDeepContainer(t *testing.T, slices int) *testhost.Cgroup {
	t.Helper()
	id := testhost.NewContainerID(t)
	slice := "/" + strings.Repeat("s", 93) + ".slice"
	c := testhost.NewCgroupAt(t, "/deep-"+id[:12]+".slice"+strings.Repeat(slice, slices)+"/docker-"+id+".scope")
	c.ContainerID = id
	return c
}

// assertInContainer checks that telemetry of a process in the container has the container's attributes and its whole path.
func assertInContainer(t *testing.T, r *testreceiver.Receiver, c *testhost.Cgroup, path string) {
	t.Helper()
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(c))
	own, err := os.ReadFile("/proc/" + strconv.Itoa(a.PID) + "/cgroup")
	require.NoError(t, err)
	require.Contains(t, string(own), "0::"+c.Path+"\n", "the kernel's view")
	a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
	e := r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))[0]
	assert.Equal(t, c.ContainerID, e.Resource["container.id"])
	assert.Equal(t, "0::"+path, e.Resource["process.linux.cgroup"])
}

// Nested containers have long paths. The path must be complete and the id that of the innermost container, whether the
// container is older or younger than the receiver. The tracepoint of a new cgroup has only 1,023 bytes of the path.
func TestContainerOfLongPath(t *testing.T) {
	testnet.Require(t)
	slices := []int{4, 5, 8, 9, 10, 25}
	older := make([]*testhost.Cgroup, len(slices))
	for i, n := range slices {
		older[i] = newDeepContainer(t, n)
	}
	r := testreceiver.Start(t, bothPrograms)
	for i, n := range slices {
		for age, c := range map[string]*testhost.Cgroup{"older": older[i], "younger": newDeepContainer(t, n)} {
			t.Run(fmt.Sprintf("%d bytes, %s", len(c.Path), age), func(t *testing.T) { assertInContainer(t, r, c, c.Path) })
		}
	}
}

// A cgroup's name need not be UTF-8, but OTLP requires UTF-8.
func TestContainerOfPathThatIsNoText(t *testing.T) {
	testnet.Require(t)
	named := func() (c *testhost.Cgroup, valid string) {
		id := testhost.NewContainerID(t)
		parent := "/kernel-test-" + id[:12]
		c = testhost.NewCgroupAt(t, parent+"\xff\xc3.slice/docker-"+id+".scope")
		c.ContainerID = id
		return c, parent + "\uFFFD.slice/docker-" + id + ".scope"
	}
	older, olderPath := named()
	r := testreceiver.Start(t, bothPrograms)
	younger, youngerPath := named()
	assertInContainer(t, r, older, olderPath)
	assertInContainer(t, r, younger, youngerPath)
}

// asThread runs a function in a thread of this name, which ends with it.
func asThread(t *testing.T, name string, run func()) {
	t.Helper()
	done := make(chan error)
	go func() {
		defer close(done)
		runtime.LockOSThread() // never unlocked: the thread keeps its name
		text, err := unix.BytePtrFromString(name)
		if err == nil {
			err = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(text)), 0, 0, 0)
		}
		if err == nil {
			run()
		}
		done <- err
	}()
	require.NoError(t, <-done)
}

// If the id of a container is a name, as with containerd's ctr, its cgroup looks like any other. The receiver recognises it
// because a runtime makes it.
func TestContainerWithName(t *testing.T) {
	testnet.Require(t)
	namespace := "/kernel-test-" + testhost.NewContainerID(t)[:12]
	r := testreceiver.Start(t, bothPrograms)
	for maker, id := range map[string]string{"runc": "web", "crun": "api"} {
		var c *testhost.Cgroup
		asThread(t, maker, func() { c = testhost.NewCgroupAt(t, namespace+"/"+id) })
		require.False(t, t.Failed())
		c.ContainerID = id
		assertInContainer(t, r, c, c.Path)
	}
	other := testhost.NewCgroupAt(t, namespace+"/other")
	a := traffic.Start(t, testnet.NewNamespace(t), traffic.In(other))
	a.Connect(traffic.Addr(testnet.Loopback4, closedPort))
	e := r.Exactly(t, 1, testreceiver.Named(connectEvent), testreceiver.OfProcess(a.PID))[0]
	assert.NotContains(t, e.Resource, "container.id")
}
