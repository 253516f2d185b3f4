// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/debian"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/initramfs"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/results"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/script"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/vm"
)

// outcome has the results of one kernel.
type outcome struct {
	line line
	// version is the package's, release what the booted kernel reports.
	version, release string
	boot, total      time.Duration
	packages         []*results.Package
	log              string
	err              error
}

// test downloads the newest kernel of a line, boots it, and runs the tests there.
func test(ctx context.Context, o *options, apt *debian.Apt, index []debian.Package, b map[string]binaries, l line) (out outcome) {
	out.line = l
	ctx, cancel := context.WithTimeoutCause(ctx, o.timeout, fmt.Errorf("still running after %s", o.timeout))
	defer cancel()
	newest, err := debian.Newest(index, l.series, l.architecture)
	if err != nil {
		out.err = err
		return out
	}
	out.version = newest[0].Version
	dir, err := apt.Unpack(ctx, newest)
	if err != nil {
		out.err = err
		return out
	}
	name := strings.ReplaceAll(l.String(), " ", "-")
	m := vm.Machine{Architecture: l.architecture, Initramfs: filepath.Join(o.cache, "boot", name+".cpio")}
	if m.Kernel, err = debian.KernelFile(dir); err != nil {
		out.err = err
		return out
	}
	out.log = filepath.Join(o.cache, "log", name+".log")
	log, err := os.Create(out.log)
	if err != nil {
		out.err = err
		return out
	}
	m.Log = log
	boot := func(out *outcome, tests string) error {
		if err := pack(m.Initramfs, dir, b[l.architecture], l, tests); err != nil {
			return err
		}
		return out.run(ctx, &m, tests != "")
	}
	out.err = boot(&out, o.tests)
	if tests := out.repeatable(); out.err == nil && tests != "" {
		var second outcome
		if out.err = boot(&second, tests); out.err == nil {
			out.repeat(&second)
		}
	}
	out.err = errors.Join(out.err, log.Close())
	return out
}

// pack writes the initramfs of a guest.
func pack(to, kernel string, b binaries, l line, tests string) error {
	return initramfs.Create(to, func(w *initramfs.Writer) error {
		for name, file := range b {
			content, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			w.File(name, 0o755, content)
		}
		if err := packModules(w, kernel); err != nil {
			return err
		}
		plan, err := packTests(w, l, tests)
		if err != nil {
			return err
		}
		w.File(script.PlanFile, 0o644, plan)
		return nil
	})
}

func packModules(w *initramfs.Writer, kernel string) error {
	all, err := initramfs.FindModules(kernel)
	if err != nil {
		return err
	}
	order, err := all.Load(modules)
	if err != nil {
		return err
	}
	var names []string
	for _, m := range order {
		names = append(names, m.Name)
		w.File(path.Join(path.Dir(script.ModulesFile), m.Name+".ko"), 0o644, m.Content)
	}
	w.File(script.ModulesFile, 0o644, []byte(strings.Join(names, "\n")))
	return nil
}

// packTests adds the files that the tests read, and returns the plan.
func packTests(w *initramfs.Writer, l line, tests string) ([]byte, error) {
	plan := script.Plan{Environment: []string{
		"OTELCOL_EBPF_REQUIRE_KERNEL=1", "OTELCOL_EBPF_TEST_PATIENCE=5", "OTELCOL_EBPF_TEST_DISPOSABLE=1",
		"OTELCOL_EBPF_TRAFFIC_AGENT=" + agentFile,
	}}
	for _, p := range packages {
		files, err := testdata(p.path)
		if err != nil {
			return nil, err
		}
		dir := path.Join("/src", p.path)
		w.Directory(dir)
		for _, file := range files {
			content, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			w.File(path.Join("/src", filepath.ToSlash(file)), 0o644, content)
		}
		plan.Commands = append(plan.Commands, script.Command{
			Name: p.path, Directory: dir,
			Arguments: []string{testBinary(p.path), "-test.v", "-test.short", "-test.timeout=75m", "-test.run=" + cmp.Or(tests, p.selected(l)), "-test.skip=" + p.skipped(l)},
		})
	}
	return json.Marshal(plan)
}

// run boots the machine and follows its output. chosen means that tests were chosen by name.
func (out *outcome) run(ctx context.Context, m *vm.Machine, chosen bool) error {
	var (
		begin   = time.Now()
		current *results.Package
		failed  error
		done    bool
	)
	err := m.Run(ctx, func(raw string) bool {
		l, ok := script.Parse(raw)
		if !ok {
			return true
		}
		switch l.Kind {
		case script.Booted:
			out.release, out.boot = l.Text, time.Since(begin)
		case script.Begin:
			current = results.NewPackage(l.Text)
			current.Chosen = chosen
			out.packages = append(out.packages, current)
		case script.Output:
			if current != nil {
				current.Add(l.Text)
			}
		case script.End:
			if current != nil {
				current.End(l.Text)
			}
			current = nil
		case script.Failed:
			failed = errors.New(l.Text)
		case script.Done:
			done = true
		}
		return !done
	})
	out.total = time.Since(begin)
	if current != nil {
		current.End("the end of the machine")
	}
	switch {
	case err != nil || failed != nil:
		return errors.Join(err, failed)
	case out.release == "":
		return errors.New("the kernel does not boot")
	case !done:
		return errors.New("the machine halted before the tests ended")
	}
	return nil
}
