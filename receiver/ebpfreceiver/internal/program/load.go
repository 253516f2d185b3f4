// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package program

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cilium/ebpf"
	"go.uber.org/zap"

	"github.com/otelcol-ebpf/otelcol-ebpf/bpf/common"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/kernel"
)

// loaded is a program in the kernel.
type loaded struct {
	definition *Definition
	config     Config
	// number identifies the program in its records and in the shared maps.
	number  uint32
	program Program
	// shared are the maps that it shares with others: see place.
	shared *shared
	// maps are the object's own maps.
	maps map[string]*ebpf.Map
	// readsSockets is whether the program uses what is known of sockets.
	readsSockets bool
	// level is changed by SetLevel only. away is whether it is LevelDetached, and has no metrics any more.
	level Level
	away  atomic.Bool
	// need is whether it is there for others only. handsOver is whether it is about to leave, so that another one tracks sockets.
	need, handsOver bool

	// mu guards the fields below it. The delivery counts misses while Detach runs.
	mu    sync.Mutex
	hooks []attached
	// missed are the misses of the hooks that were detached.
	missed uint64
	// readers are the hooks of kind Reader once the program is detached.
	readers []attached
}

// attached is one attached hook, in the variant that this kernel accepted.
type attached struct {
	name string
	// functions are those of the variant, each followed by its fallback if it has one.
	functions []function
	// tracksSockets and lossless are copies of the hook's fields.
	tracksSockets, lossless bool
}

// function is an attached C function.
type function struct {
	name    string
	program *ebpf.Program
	link    io.Closer // nil: a sampled program is detached for now
	attach  func(*ebpf.Program) (io.Closer, error)
	// fallback reports that it is the fallback of the function before it.
	fallback bool
}

// follower is a link that follows what comes and goes, as XDP follows interfaces. It reports each place by itself.
type follower interface{ IsAttached() bool }

// isAttached reports whether the hook is attached. A follower may be attached to nothing for now.
func (a *attached) isAttached() bool {
	for _, f := range a.functions {
		if follower, ok := f.link.(follower); ok && !follower.IsAttached() {
			return false
		}
	}
	return true
}

// follows reports whether the hook is a follower.
func (a *attached) follows() bool {
	return slices.ContainsFunc(a.functions, func(f function) bool { _, ok := f.link.(follower); return ok })
}

// isReader reports whether the hook is of kind Reader.
func (a *attached) isReader() bool {
	return slices.ContainsFunc(a.functions, func(f function) bool {
		_, ok := f.link.(*Iter)
		return ok
	})
}

func (a *attached) close() error {
	var errs []error
	for _, f := range slices.Backward(a.functions) {
		if f.link != nil {
			errs = append(errs, f.link.Close())
		}
		errs = append(errs, f.program.Close())
	}
	return errors.Join(errs...)
}

// place is where a program is loaded: the kernel, with its BTF, and the maps that the program shares with others.
type place struct {
	kernel *Kernel
	shared *shared
}

// load loads and attaches one program. After an error, nothing of it stays in the kernel.
func (s *Set) load(one Selected, number uint32, at place) (_ *loaded, err error) {
	l := &loaded{
		definition: one.Definition,
		config:     one.Config,
		number:     number,
		shared:     at.shared,
		program:    one.Definition.New(one.Config, s.hostOf(one, number, at)),
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.detach(), l.close())
		}
	}()
	check := at.kernel.Check
	hooks := l.program.Hooks()
	if err := check(requirements(hooks, check)); err != nil {
		return nil, err
	}
	spec, err := l.program.Spec()
	if err != nil {
		return nil, fmt.Errorf("read the embedded object: %w", err)
	}
	l.readsSockets = spec.Maps[common.MapSocketSlots] != nil
	at.shared.makeRoom(spec)
	if err := s.setVariables(l, spec); err != nil {
		return nil, err
	}
	opts := ebpf.CollectionOptions{MapReplacements: at.shared.replacements(spec)}
	at.kernel.BTF.Apply(&opts)
	if l.maps, err = createMaps(l.definition.Name, spec, opts); err != nil {
		return nil, err
	}
	if err := l.program.Loaded(l.maps); err != nil {
		return nil, err
	}
	if s.holds[number].isOn() {
		if err := l.writeShares(heldWindow); err != nil {
			return nil, err
		}
	}
	maps.Copy(opts.MapReplacements, l.maps)
	from := &object{spec: spec, opts: opts, number: number, timing: s.timing}
	for _, hook := range hooks {
		a, err := attach(hook, from, check)
		if err != nil && hook.Optional {
			s.options.Logger.Info("Optional hook is not available on this kernel; the program runs without it",
				zap.String("program", l.definition.Name), zap.String("hook", hook.Variants[0].Hook), zap.Error(err))
			continue
		}
		if err != nil {
			return nil, err
		}
		if a != nil {
			l.hooks = append(l.hooks, *a)
		}
	}
	if user, ok := l.program.(IterUser); ok {
		user.Attached(l.iters())
	}
	return l, nil
}

// hostOf returns the Host of one program.
func (s *Set) hostOf(one Selected, number uint32, at place) *Host {
	return &Host{
		Kernel:         at.kernel,
		Settings:       s.options.Settings,
		SocketsTracked: s.tracksSockets(at.shared),
		Sockets:        at.shared.maps[common.MapSocketSlots],
		Listening:      at.shared.maps[common.MapListening],
		Listened:       at.shared.maps[common.MapListened],
		UpdateListener: at.shared.updateListener(),
		Emit:           s.emitter(one.Config.Common(), number),
		CountFull:      func() { s.counts.full[number].Add(1) },
		Report: func(state State) {
			state.Program = one.Definition.Name
			s.options.Report(state)
		},
	}
}

// iters returns the attached iterators by the names of their functions.
func (l *loaded) iters() map[string]*Iter {
	iters := map[string]*Iter{}
	for _, h := range l.hooks {
		for _, f := range h.functions {
			if iter, ok := f.link.(*Iter); ok {
				iters[f.name] = iter
			}
		}
	}
	return iters
}

// createMaps creates the object's own maps, including its constants. Their names in the kernel begin with that of the program.
func createMaps(program string, spec *ebpf.CollectionSpec, opts ebpf.CollectionOptions) (map[string]*ebpf.Map, error) {
	for name, m := range spec.Maps {
		if opts.MapReplacements[name] == nil {
			m.Name = nameInKernel(program, name)
		}
	}
	only := spec.Copy()
	only.Programs = nil
	if err := inline(only); err != nil {
		return nil, err
	}
	collection, err := ebpf.NewCollectionWithOptions(only, opts)
	if err != nil {
		return nil, fmt.Errorf("create maps: %w", err)
	}
	defer collection.Close()
	// The verifier takes frozen values for constants. The library freezes only what is called .rodata in the kernel, too.
	for name, m := range collection.Maps {
		if !strings.HasPrefix(name, ".rodata") {
			continue
		}
		if err := m.Freeze(); err != nil {
			return nil, fmt.Errorf("freeze %s: %w", name, err)
		}
	}
	own := map[string]*ebpf.Map{}
	for name := range spec.Maps {
		if opts.MapReplacements[name] == nil {
			own[name] = collection.DetachMap(name)
		}
	}
	return own, nil
}

// nameInKernel returns the name of a program's own map, which begins with the program's name. The names of constants (.rodata) and
// of maps that a header declares for several programs do not. `bpftool map` shows the first 15 characters.
func nameInKernel(program, name string) string {
	if strings.HasPrefix(name, program+"_") {
		return name
	}
	return program + "_" + strings.TrimPrefix(name, ".")
}

// inline writes the variables' values into their sections and drops the variables. Otherwise cilium/ebpf would map the
// sections' memory, which keeps the map in the kernel until the next garbage collection.
func inline(spec *ebpf.CollectionSpec) error {
	for _, v := range spec.Variables {
		if v.Value == nil {
			continue
		}
		section := spec.Maps[v.SectionName]
		if section == nil || len(section.Contents) != 1 {
			return fmt.Errorf("variable %s is in no section", v.Name)
		}
		data, ok := section.Contents[0].Value.([]byte)
		if !ok || int(v.Offset)+len(v.Value) > len(data) {
			return fmt.Errorf("variable %s is outside of its section", v.Name)
		}
		data = slices.Clone(data)
		copy(data[v.Offset:], v.Value)
		section.Contents = []ebpf.MapKV{{Key: uint32(0), Value: data}}
	}
	spec.Variables = nil
	return nil
}

func (s *Set) setVariables(l *loaded, spec *ebpf.CollectionSpec) error {
	config := l.config.Common()
	variables := maps.Clone(l.shared.variables)
	variables[common.VarProgramNumber] = l.number
	switch {
	case config.EventLimit != nil:
		variables[common.VarEventLimit] = uint64(*config.EventLimit)
	case s.options.Steppable:
		variables[common.VarEventLimit] = uint64(unreachableLimit)
	}
	if s.options.Emit != nil && config.Events {
		variables[common.VarEnabledEvents] = l.program.Events()
	}
	maps.Copy(variables, l.program.Variables())
	for name, value := range variables {
		if v := spec.Variables[name]; v != nil { // not every object has all shared variables
			if err := v.Set(value); err != nil {
				return fmt.Errorf("set %s: %w", name, err)
			}
		}
	}
	return nil
}

// attach attaches the first variant of a hook whose needs are met and that this kernel accepts. It returns nil if the
// hook has run once and is done.
func attach(hook Hook, from *object, check func(kernel.Requirements) error) (*attached, error) {
	var errs []error
	for _, v := range hook.Variants {
		a := &attached{name: v.Hook, tracksSockets: hook.TracksSockets, lossless: hook.Lossless}
		err := check(v.Needs)
		if err == nil {
			err = a.attach(v, from)
		}
		if err != nil {
			errs = append(errs, err, a.close())
			continue
		}
		if len(a.functions) == 0 {
			return nil, nil
		}
		return a, nil
	}
	return nil, errors.Join(errs...)
}

// attach loads and attaches the functions of a variant. After an error, close releases those that are attached.
func (a *attached) attach(v Variant, from *object) error {
	for _, name := range []string{v.Function, v.Fallback} {
		if name == "" {
			continue
		}
		p, err := from.load(name)
		if err != nil {
			return fmt.Errorf("load %s: %w", v.Hook, err)
		}
		link, err := v.Attach(p)
		if err != nil {
			return errors.Join(fmt.Errorf("attach to %s: %w", v.Hook, err), p.Close())
		}
		if link == nil {
			return p.Close()
		}
		a.functions = append(a.functions, function{name: name, program: p, link: link, attach: v.Attach, fallback: name == v.Fallback})
	}
	for _, with := range v.With {
		if err := a.attach(with, from); err != nil {
			return err
		}
	}
	return nil
}

// object is what the functions of a program are loaded from.
type object struct {
	spec *ebpf.CollectionSpec
	opts ebpf.CollectionOptions
	// timing measures the functions, under the number of the program; nil if nobody wants to know.
	timing *timing
	number uint32
}

// load loads a function.
func (o *object) load(name string) (*ebpf.Program, error) {
	function, ok := o.spec.Programs[name]
	if !ok {
		return nil, fmt.Errorf("the object has no function %s", name)
	}
	if o.timing != nil {
		var err error
		if function, err = o.timing.measured(function, o.number); err != nil {
			return nil, err
		}
	}
	return loadFunction(function, o.spec, o.opts)
}

// loadFunction loads one function of an object. This kernel need not accept the others.
func loadFunction(function *ebpf.ProgramSpec, spec *ebpf.CollectionSpec, opts ebpf.CollectionOptions) (*ebpf.Program, error) {
	// The library copies the function, but also checks all maps and functions of a collection, and there are many. The constants are in
	// a map of the object, and frozen already.
	alone := &ebpf.CollectionSpec{
		Programs: map[string]*ebpf.ProgramSpec{function.Name: function},
		Maps:     map[string]*ebpf.MapSpec{}, Types: spec.Types, ByteOrder: spec.ByteOrder,
	}
	all := opts.MapReplacements
	opts.MapReplacements = map[string]*ebpf.Map{}
	for i := range function.Instructions {
		if used := function.Instructions[i].Reference(); all[used] != nil {
			alone.Maps[used], opts.MapReplacements[used] = spec.Maps[used], all[used]
		}
	}
	collection, err := ebpf.NewCollectionWithOptions(alone, opts)
	if err != nil {
		return nil, kernel.ExplainLoad(err)
	}
	p := collection.DetachProgram(function.Name)
	collection.Close()
	return p, nil
}

// detach detaches all hooks but those of kind Reader, which run only when somebody reads them, as the last scrape does.
func (l *loaded) detach() error {
	var errs []error
	for _, h := range slices.Backward(l.takeHooks()) {
		errs = append(errs, h.close())
	}
	return errors.Join(errs...)
}

// takeHooks returns the hooks to detach, and forgets them but for their misses: the kernel counts those with the functions.
func (l *loaded) takeHooks() (taken []attached) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed += countMisses(l.hooks)
	for _, h := range l.hooks {
		if h.isReader() {
			l.readers = append(l.readers, h)
		} else {
			taken = append(taken, h)
		}
	}
	l.hooks = nil
	return taken
}

// attachedHooks returns the present hooks.
func (l *loaded) attachedHooks() []attached {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.hooks
}

// setLinks attaches the functions of all hooks, or detaches them: they stay loaded.
func (l *loaded) setLinks(on bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	hooks := slices.Clone(l.hooks) // others may be reading it
	for i := range hooks {
		hooks[i].functions = slices.Clone(hooks[i].functions)
		for j := range hooks[i].functions {
			errs = append(errs, hooks[i].functions[j].setLink(on))
		}
	}
	l.hooks = hooks
	return errors.Join(errs...)
}

// setLink attaches a function, or detaches it.
func (f *function) setLink(on bool) (err error) {
	switch {
	case on && f.link == nil:
		f.link, err = f.attach(f.program)
	case !on && f.link != nil:
		err = f.link.Close()
		f.link = nil
	}
	return err
}

// tracksSockets reports whether a hook that tracks the owners of TCP sockets is attached, and stays.
func (l *loaded) tracksSockets() bool {
	return !l.handsOver && slices.ContainsFunc(l.attachedHooks(), func(h attached) bool { return h.tracksSockets })
}

func (l *loaded) close() error {
	var errs []error
	for _, h := range l.readers {
		errs = append(errs, h.close())
	}
	l.readers = nil
	for _, m := range l.maps {
		if m != nil {
			errs = append(errs, m.Close())
		}
	}
	return errors.Join(errs...)
}

// misses returns the runs that the kernel's recursion guard skipped (recursion_misses), without those of functions with a
// fallback and of lossless hooks.
func (l *loaded) misses() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.missed + countMisses(l.hooks)
}

// addMissed adds the misses of the program that it has replaced.
func (l *loaded) addMissed(misses uint64) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.missed += misses
}

func countMisses(hooks []attached) (n uint64) {
	for _, h := range hooks {
		if h.lossless {
			continue
		}
		for i, f := range h.functions {
			if f.fallback || i+1 < len(h.functions) && h.functions[i+1].fallback {
				continue
			}
			if stats, err := f.program.Stats(); err == nil {
				n += stats.RecursionMisses
			}
		}
	}
	return n
}
