// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

// Command vmtest runs the kernel tests in QEMU on Debian's kernels, the newest build of each line. It prints the results as
// one table: kernel, program, hooks, tests passed, failed and skipped. A run of all tests on all kernels is also compared
// with the list of tested kernels in docs/kernels.md.
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
	"slices"
	"sync"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/tools/vmtest/internal/debian"
)

// options are the command line's.
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
	lines := flag.String("kernels", "", "run only kernel lines that match this regular expression, such as '6.1 amd64'")
	flag.StringVar(&o.tests, "run", "", "run only tests that match this pattern, as for go test")
	flag.StringVar(&o.cache, "cache", ".cache/kernels", "directory for downloads, test binaries and logs")
	flag.IntVar(&o.parallel, "parallel", max(1, runtime.NumCPU()), "number of kernels to run in parallel")
	flag.DurationVar(&o.timeout, "timeout", 80*time.Minute, "time limit for one kernel")
	flag.StringVar(&o.archives.Main, "archive", "", "URI of Debian's archive (default: that of the machine's apt)")
	flag.StringVar(&o.archives.Security, "security-archive", "", "URI of Debian's security archive (default: that of the machine's apt)")
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
	order := make([]int, len(chosen))
	for i := range order {
		order[i] = i
	}
	// The ends take longest.
	slices.SortStableFunc(order, func(a, b int) int { return rank(chosen[a]) - rank(chosen[b]) })
	for _, i := range order {
		l := chosen[i]
		slots <- struct{}{}
		wg.Go(func() {
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

// rank orders kernels by the time that their tests take.
func rank(l line) int {
	switch l {
	case supported[0], newest:
		return 0
	default:
		return 1
	}
}
