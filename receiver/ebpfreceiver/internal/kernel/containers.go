// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"errors"
	"strings"
	"sync"
	"time"
)

const (
	// maxCgroups bounds the cgroups that are known at a time.
	maxCgroups = 16384
	// walkInterval is the least time between two walks over all cgroups.
	walkInterval = 30 * time.Second
)

var (
	// errCgroupGone is when there is no cgroup of an id any more.
	errCgroupGone = errors.New("no such cgroup")
	// errNoHandles is when this process may not open a cgroup by its id.
	errNoHandles = errors.New("cgroups can't be opened by their id")
)

// cgroupTree is the mounted hierarchy of cgroups.
type cgroupTree interface {
	// path returns the path of a cgroup from the root of the hierarchy, errCgroupGone or errNoHandles.
	path(id uint64) (string, error)
	// walk visits at most limit cgroups, those nearer to the root first.
	walk(limit int, visit func(id uint64, path string)) error
	close() error
}

// Containers finds the container that a cgroup belongs to by the cgroup's id, which is the inode number of its directory
// in the cgroup2 hierarchy. It knows the cgroups found at its start and those added since, and asks the kernel for others.
// It is safe for concurrent use, and bounded: beyond maxCgroups, the cgroups first removed are forgotten first.
type Containers struct {
	mu      sync.RWMutex
	cgroups map[uint64]cgroup
	// removed holds the ids of cgroups that are no more, in the order of their removal.
	removed []uint64
	// shared holds one container for all cgroups in it, by its own cgroup.
	shared map[string]*sharedContainer
	// resources holds what Lookup returns, one for all containers that differ in nothing that is kept of them.
	resources map[Container]*resource
	kept      ContainerFields

	tree cgroupTree
	// mount is where the tree is mounted.
	mount string
	now   func() time.Time
	// byWalk is whether the tree can't open cgroups by their id, so that only a walk finds them.
	byWalk   bool
	walkedAt time.Time
}

type cgroup struct {
	// container is nil if the cgroup is in none.
	container *sharedContainer
	// path is in the form of /proc/PID/cgroup, "" if it is not known.
	path    string
	removed bool
}

type sharedContainer struct {
	Container
	cgroups int
	// resource is nil if nothing is kept of the container.
	resource *resource
}

type resource struct {
	Container
	// cgroups are those that are known, living those of them that are not removed.
	cgroups, living int
}

// ContainerFields are the fields of Container that are kept, and so tell containers apart; the others are "".
type ContainerFields struct{ ID, PodUID, CgroupPath bool }

// AllFields keeps all that is known of containers.
var AllFields = ContainerFields{ID: true, PodUID: true, CgroupPath: true}

func (f ContainerFields) of(c Container) Container {
	if !f.ID {
		c.ID = ""
	}
	if !f.PodUID {
		c.PodUID = ""
	}
	if !f.CgroupPath {
		c.CgroupPath = ""
	}
	return c
}

// NewContainers returns containers that know only the cgroups added. OpenContainers knows those of this machine.
func NewContainers(kept ContainerFields) *Containers {
	return &Containers{
		cgroups:   make(map[uint64]cgroup),
		shared:    make(map[string]*sharedContainer),
		resources: make(map[Container]*resource),
		kept:      kept,
		now:       time.Now,
	}
}

// openContainers returns containers that know the cgroups of a tree, which is closed on an error.
func openContainers(tree cgroupTree, mount string, kept ContainerFields) (*Containers, error) {
	c := NewContainers(kept)
	c.tree, c.mount = tree, mount
	if err := c.walk(); err != nil {
		return nil, errors.Join(err, tree.close())
	}
	return c, nil
}

// Lookup returns the container that a cgroup belongs to, or nil if the cgroup is in none or is unknown, or nothing is kept
// of the container. All cgroups of a container give the same pointer, as do all containers that do not differ in what is
// kept; what it points to does not change. A known cgroup costs no allocation.
func (c *Containers) Lookup(id uint64) *Container {
	if known := c.lookup(id); known.container != nil && known.container.resource != nil {
		return &known.container.resource.Container
	}
	return nil
}

// Lives returns whether any cgroup is left that gives the same container in Lookup.
func (c *Containers) Lives(id uint64) bool {
	known := c.lookup(id)
	if known.container == nil || known.container.resource == nil {
		return !known.removed
	}
	c.mu.RLock()
	defer c.mu.RUnlock()
	return known.container.resource.living > 0
}

// Living returns the containers that have a cgroup, one for all that do not differ in what is kept.
func (c *Containers) Living() (living []*Container) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, r := range c.resources {
		if r.living > 0 {
			living = append(living, &r.Container)
		}
	}
	return living
}

// Path returns where a cgroup is in the form of /proc/PID/cgroup, as in "0::/system.slice/sshd.service"; "" if that is
// not known. A known cgroup costs no allocation.
func (c *Containers) Path(id uint64) string { return c.lookup(id).path }

func (c *Containers) lookup(id uint64) cgroup {
	c.mu.RLock()
	known, ok := c.cgroups[id]
	c.mu.RUnlock()
	if !ok && id != 0 {
		known = c.find(id)
	}
	return known
}

// Find makes a new cgroup known whose path nobody has, as long as it exists.
func (c *Containers) Find(id uint64) { c.lookup(id) }

// Has returns whether a container is known whose id begins so.
func (c *Containers) Has(id string) bool {
	c.mu.RLock()
	defer c.mu.RUnlock()
	for _, s := range c.shared {
		if strings.HasPrefix(s.ID, id) {
			return true
		}
	}
	return false
}

// Add makes a new cgroup known; its path is from the root of the hierarchy.
func (c *Containers) Add(id uint64, path string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.add(id, path)
}

// Remove tells that a cgroup is no more. It stays known while there is room, for what is still to be said of it.
func (c *Containers) Remove(id uint64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.cgroups[id]; ok && !known.removed {
		known.removed = true
		if known.container != nil && known.container.resource != nil {
			known.container.resource.living--
		}
		c.cgroups[id] = known
		c.removed = append(c.removed, id)
	}
}

// Gone returns whether a cgroup is no more.
func (c *Containers) Gone(id uint64) bool { return c.lookup(id).removed }

// Mount returns where the cgroup2 hierarchy is mounted, as in "/sys/fs/cgroup"; "" if only added cgroups are known.
func (c *Containers) Mount() string { return c.mount }

// Len returns the number of cgroups that are known.
func (c *Containers) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.cgroups)
}

// Close lets go of the hierarchy. What is known stays known.
func (c *Containers) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return nil
	}
	err := c.tree.close()
	c.tree = nil
	return err
}

// find asks the tree for a cgroup that is not known.
func (c *Containers) find(id uint64) cgroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.cgroups[id]; ok || c.tree == nil {
		return known
	}
	if !c.byWalk {
		switch path, err := c.tree.path(id); {
		case err == nil:
			c.add(id, path)
			return c.cgroups[id]
		case errors.Is(err, errCgroupGone):
			// An id is given out only once: it need not be asked for again.
			c.put(id, cgroup{removed: true})
			c.removed = append(c.removed, id)
			return c.cgroups[id]
		case errors.Is(err, errNoHandles):
			c.byWalk = true
		default:
			return cgroup{}
		}
	}
	if c.now().Sub(c.walkedAt) >= walkInterval {
		// A walk that ends early has still found what it has found.
		_ = c.walk()
	}
	return c.cgroups[id]
}

func (c *Containers) walk() error {
	c.walkedAt = c.now()
	return c.tree.walk(maxCgroups, c.add)
}

// add puts a cgroup with its container. A path may be any bytes; what is not UTF-8, and so not allowed in OTLP, becomes U+FFFD.
func (c *Containers) add(id uint64, path string) {
	if known, ok := c.cgroups[id]; ok && !known.removed {
		return
	}
	path = strings.ToValidUTF8(path, "\uFFFD")
	added := cgroup{path: "0::" + path}
	if container, ok := parseContainer(path); ok {
		added.container = c.shared[container.CgroupPath]
		if added.container == nil {
			added.container = &sharedContainer{Container: container, resource: c.resource(container)}
			c.shared[container.CgroupPath] = added.container
		}
		added.container.cgroups++
		if r := added.container.resource; r != nil {
			r.cgroups++
			r.living++
		}
	}
	c.put(id, added)
}

// resource returns what Lookup returns for a container, nil if nothing is kept of it.
func (c *Containers) resource(container Container) *resource {
	kept := c.kept.of(container)
	if kept == (Container{}) {
		return nil
	}
	if c.resources[kept] == nil {
		c.resources[kept] = &resource{Container: kept}
	}
	return c.resources[kept]
}

// put stores a cgroup, and makes room for it first.
func (c *Containers) put(id uint64, added cgroup) {
	c.forget(id)
	for len(c.cgroups) >= maxCgroups {
		c.evict()
	}
	c.cgroups[id] = added
}

// evict forgets the cgroup that was removed first. With none removed it is any: the tree still has it.
func (c *Containers) evict() {
	for len(c.removed) > 0 {
		id := c.removed[0]
		c.removed = c.removed[1:]
		if c.cgroups[id].removed {
			c.forget(id)
			return
		}
	}
	for id := range c.cgroups {
		c.forget(id)
		return
	}
}

// forget deletes a cgroup, and its container with the last of its cgroups.
func (c *Containers) forget(id uint64) {
	known, ok := c.cgroups[id]
	if !ok {
		return
	}
	delete(c.cgroups, id)
	if s := known.container; s != nil {
		if s.cgroups--; s.cgroups == 0 {
			delete(c.shared, s.CgroupPath)
		}
		if r := s.resource; r != nil {
			if !known.removed {
				r.living--
			}
			if r.cgroups--; r.cgroups == 0 {
				delete(c.resources, r.Container)
			}
		}
	}
}
