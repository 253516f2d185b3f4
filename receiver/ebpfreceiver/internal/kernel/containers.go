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
	// maxCgroups bounds the number of known cgroups.
	maxCgroups = 16384
	// maxUnits bounds the number of systemd units with resources of their own. Further ones belong to the host.
	maxUnits = 1024
	// walkInterval is the least time between two walks of the cgroup tree.
	walkInterval = 30 * time.Second
)

var (
	// errCgroupGone means that no cgroup has this id, or no longer.
	errCgroupGone = errors.New("no such cgroup")
	// errNoHandles means that this process may not open cgroups by their id.
	errNoHandles = errors.New("cgroups cannot be opened by their id")
)

// cgroupTree is the mounted hierarchy of cgroups.
type cgroupTree interface {
	// path returns the path of a cgroup from the root of the hierarchy, errCgroupGone or errNoHandles.
	path(id uint64) (string, error)
	// runs reports whether a container runtime has started the processes in a cgroup.
	runs(path string) bool
	// walk visits at most limit cgroups, those nearer to the root first.
	walk(limit int, visit func(id uint64, path string)) error
	close() error
}

// Containers finds the container or systemd unit of a cgroup by the cgroup's id, which is the inode number of its directory in the
// cgroup2 hierarchy. It knows the cgroups that existed at the start and those added since, and asks the kernel for
// others. It is safe for concurrent use. It is bounded: above maxCgroups it forgets the cgroups that were removed first.
type Containers struct {
	mu      sync.RWMutex
	cgroups map[uint64]cgroup
	// removed has the ids of removed cgroups, in the order of their removal.
	removed []uint64
	// shared has one container for all cgroups in it, by the container's own cgroup.
	shared map[string]*sharedContainer
	// units is the number of systemd units in shared.
	units int
	// resources has the return values of Lookup: one for all containers with the same kept fields.
	resources map[Container]*resource
	kept      ContainerFields
	watch     *watch

	tree cgroupTree
	// mount is the mount point of the tree.
	mount string
	now   func() time.Time
	// byWalk reports that the tree cannot open cgroups by their id, so that only a walk finds them.
	byWalk   bool
	walkedAt time.Time
}

// watch is what Watch was called with.
type watch struct {
	selected func(Container) bool
	added    func(id uint64)
}

type cgroup struct {
	// container is nil if the cgroup is in no container.
	container *sharedContainer
	// path is in the form of /proc/PID/cgroup, "" if unknown.
	path    string
	removed bool
}

type sharedContainer struct {
	Container
	cgroups int
	// resource is nil if no field of the container is kept.
	resource *resource
}

type resource struct {
	Container
	// cgroups is the number of known cgroups, living the number of those that are not removed.
	cgroups, living int
}

// ContainerFields selects the fields of Container that are kept, and so distinguish containers. The other fields are "".
// Without Unit, processes outside of containers belong to the host.
type ContainerFields struct{ ID, PodUID, CgroupPath, Unit bool }

// AllFields keeps all fields.
var AllFields = ContainerFields{ID: true, PodUID: true, CgroupPath: true, Unit: true}

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
	if !f.Unit {
		c.Unit = ""
	}
	return c
}

// NewContainers returns containers that know only cgroups given to Add. OpenContainers knows those of this machine.
func NewContainers(kept ContainerFields) *Containers {
	return &Containers{
		cgroups:   make(map[uint64]cgroup),
		shared:    make(map[string]*sharedContainer),
		resources: make(map[Container]*resource),
		kept:      kept,
		now:       time.Now,
	}
}

// openContainers returns containers that know the cgroups of a tree. On an error it closes the tree.
func openContainers(tree cgroupTree, mount string, kept ContainerFields) (*Containers, error) {
	c := NewContainers(kept)
	c.tree, c.mount = tree, mount
	if err := c.walk(); err != nil {
		return nil, errors.Join(err, tree.close())
	}
	return c, nil
}

// Lookup returns the container or unit of a cgroup. It returns nil if the cgroup is in neither, if it is unknown, or if no
// field is kept. All cgroups of a container, and all containers with the same kept fields, give the same pointer. The
// value behind it does not change. A known cgroup costs no allocation.
func (c *Containers) Lookup(id uint64) *Container {
	if known := c.lookup(id); known.container != nil && known.container.resource != nil {
		return &known.container.resource.Container
	}
	return nil
}

// Lives reports whether a cgroup still exists for which Lookup returns the same container.
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

// Path returns the path of a cgroup in the form of /proc/PID/cgroup, as in "0::/system.slice/sshd.service", or "" if
// unknown. A known cgroup costs no allocation.
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

// Find looks up a new cgroup of unknown path, as long as it exists.
func (c *Containers) Find(id uint64) { c.lookup(id) }

// Has reports whether a container is known whose id has this prefix.
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

// Watch calls added for each cgroup of a selected container or unit, known or found later, until stop is called. selected gets all
// fields of a container, or CgroupPath and Unit. Neither function may call methods of c. There can be one watch at a time.
func (c *Containers) Watch(selected func(Container) bool, added func(id uint64)) (stop func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &watch{selected, added}
	c.watch = w
	for id, known := range c.cgroups {
		if path, ok := strings.CutPrefix(known.path, "0::"); ok {
			w.notify(id, path, known.container)
		}
	}
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.watch == w {
			c.watch = nil
		}
	}
}

// notify calls added if a cgroup is selected, also for units that are not kept or beyond their bound.
func (w *watch) notify(id uint64, path string, in *sharedContainer) {
	var (
		container Container
		ok        bool
	)
	if in != nil {
		container, ok = in.Container, true
	} else {
		container, ok = parseUnit(path)
	}
	if ok && w.selected(container) {
		w.added(id)
	}
}

// Add records a new cgroup. Its path starts at the root of the hierarchy.
func (c *Containers) Add(id uint64, path string) { c.addMade(id, path, false) }

// AddByRuntime records a new cgroup that a container runtime has made.
func (c *Containers) AddByRuntime(id uint64, path string) { c.addMade(id, path, true) }

func (c *Containers) addMade(id uint64, path string, byRuntime bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.cgroups[id]; ok && byRuntime && !known.removed && known.container == nil {
		// The tree was read before this record, while the runtime still set the container up: it was not recognised as one.
		c.forget(id)
	}
	c.add(id, path, func() bool { return byRuntime })
}

// Remove records that a cgroup was removed. It stays known while there is room, because late events still name it.
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

// Gone reports whether a cgroup was removed.
func (c *Containers) Gone(id uint64) bool { return c.lookup(id).removed }

// Mount returns the mount point of the cgroup2 hierarchy, as in "/sys/fs/cgroup"; "" if only added cgroups are known.
func (c *Containers) Mount() string { return c.mount }

// Len returns the number of known cgroups.
func (c *Containers) Len() int {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return len(c.cgroups)
}

// Close closes the hierarchy. Known cgroups stay known.
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

// find asks the tree for an unknown cgroup.
func (c *Containers) find(id uint64) cgroup {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.cgroups[id]; ok || c.tree == nil {
		return known
	}
	if !c.byWalk {
		switch path, err := c.tree.path(id); {
		case err == nil:
			c.addFound(id, path)
			return c.cgroups[id]
		case errors.Is(err, errCgroupGone):
			// The kernel does not reuse ids, so there is no need to ask for this one again.
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
		// A walk that fails has still found some cgroups.
		_ = c.walk()
	}
	return c.cgroups[id]
}

// Refresh finds the cgroups that were created since the last walk of the tree.
func (c *Containers) Refresh() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.tree == nil {
		return nil
	}
	return c.walk()
}

func (c *Containers) walk() error {
	c.walkedAt = c.now()
	return c.tree.walk(maxCgroups, c.addFound)
}

// addFound adds a cgroup of the tree.
func (c *Containers) addFound(id uint64, path string) {
	c.add(id, path, func() bool { return c.tree.runs(path) })
}

// add adds a cgroup and its container. A path may be any bytes. Invalid UTF-8, which OTLP does not allow, becomes U+FFFD. If the
// path alone does not show whether the cgroup is a container, byRuntime decides.
func (c *Containers) add(id uint64, path string, byRuntime func() bool) {
	if known, ok := c.cgroups[id]; ok && !known.removed {
		return
	}
	path = strings.ToValidUTF8(path, "\uFFFD")
	added := cgroup{path: "0::" + path}
	container, ok := parseContainer(path)
	if !ok {
		if container, ok = parseNamed(path); ok && c.shared[container.CgroupPath] == nil {
			ok = container.CgroupPath == added.path && byRuntime()
		}
	}
	if !ok && c.kept.Unit {
		if container, ok = parseUnit(path); ok && c.shared[container.CgroupPath] == nil {
			ok = c.units < maxUnits
		}
	}
	if ok {
		added.container = c.shared[container.CgroupPath]
		if added.container == nil {
			added.container = &sharedContainer{Container: container, resource: c.resource(container)}
			c.shared[container.CgroupPath] = added.container
			if container.Unit != "" {
				c.units++
			}
		}
		added.container.cgroups++
		if r := added.container.resource; r != nil {
			r.cgroups++
			r.living++
		}
	}
	c.put(id, added)
	if c.watch != nil {
		c.watch.notify(id, path, added.container)
	}
}

// resource returns what Lookup returns for a container: nil if no field is kept.
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

// put stores a cgroup, after making room for it.
func (c *Containers) put(id uint64, added cgroup) {
	c.forget(id)
	for len(c.cgroups) >= maxCgroups {
		c.evict()
	}
	c.cgroups[id] = added
}

// evict forgets the cgroup that was removed first. If none was removed, it forgets any: the tree still has it.
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

// forget deletes a cgroup, and its container if this was the last cgroup in it.
func (c *Containers) forget(id uint64) {
	known, ok := c.cgroups[id]
	if !ok {
		return
	}
	delete(c.cgroups, id)
	if s := known.container; s != nil {
		if s.cgroups--; s.cgroups == 0 {
			delete(c.shared, s.CgroupPath)
			if s.Unit != "" {
				c.units--
			}
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
