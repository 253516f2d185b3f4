// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command kernels runs the kernel tests on Debian's kernels, the newest build of each line, in QEMU, and prints what came
// of it in one table: kernel, program, hooks, tests passed, failed and skipped. A run of all tests on all kernels also checks
// what docs/kernels.md says is tested.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"sync"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/debian"
)

// options are what the command line says.
type options struct {
	cache    string
	archives debian.Archives
	lines    *regexp.Regexp
	tests    string
	parallel int
	timeout  time.Duration
}

func main() {
	var o options
	lines := flag.String("kernels", "", "run only the kernels whose line, such as '6.1 amd64', matches this regular expression")
	flag.StringVar(&o.tests, "run", "", "run only the tests that match, as of go test")
	flag.StringVar(&o.cache, "cache", ".cache/kernels", "the directory that downloads, test binaries and logs are kept in")
	flag.IntVar(&o.parallel, "parallel", max(1, runtime.NumCPU()), "run that many kernels side by side")
	flag.DurationVar(&o.timeout, "timeout", 45*time.Minute, "the time that one kernel has")
	flag.StringVar(&o.archives.Main, "archive", "", "the URI of Debian's archive; without it, what the machine's apt uses")
	flag.StringVar(&o.archives.Security, "security-archive", "", "the URI of Debian's security archive; without it, what the machine's apt uses")
	flag.Parse()

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, &o, *lines)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, o *options, lines string) (err error) {
	if o.lines, err = regexp.Compile(lines); err != nil {
		return fmt.Errorf("the value of -kernels: %w", err)
	}
	var chosen []line
	for _, l := range supported {
		if o.lines.MatchString(l.String()) {
			chosen = append(chosen, l)
		}
	}
	if len(chosen) == 0 {
		return fmt.Errorf("-kernels %s matches none of %v", o.lines, supported)
	}
	for _, dir := range []string{"boot", "log"} {
		if err := os.MkdirAll(filepath.Join(o.cache, dir), 0o755); err != nil {
			return err
		}
	}
	b, err := buildAll(ctx, o.cache, chosen)
	if err != nil {
		return err
	}
	apt, packages, err := kernels(ctx, o)
	if err != nil {
		return err
	}
	outcomes := make([]outcome, len(chosen))
	var wg sync.WaitGroup
	slots := make(chan struct{}, o.parallel)
	for i, l := range chosen {
		wg.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			outcomes[i] = test(ctx, o, apt, packages, b, l)
			fmt.Println(outcomes[i].summary())
		})
	}
	wg.Wait()
	text, err := report(outcomes)
	if o.tests == "" && len(chosen) == len(supported) {
		err = errors.Join(err, checkClaims(outcomes))
	}
	fmt.Print(text)
	return err
}

func kernels(ctx context.Context, o *options) (*debian.Apt, []debian.Package, error) {
	archives := o.archives
	if archives.Main == "" || archives.Security == "" {
		own, err := debian.MachineArchives(ctx)
		if err != nil {
			return nil, nil, err
		}
		archives = own
	}
	apt, err := debian.NewApt(filepath.Join(o.cache, "apt"), archives)
	if err != nil {
		return nil, nil, err
	}
	packages, err := apt.Kernels(ctx)
	return apt, packages, err
}
