// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// shared is what all tests use: one collector and one browser, started by the first test that needs them.
var shared struct {
	once    sync.Once
	err     error
	server  *server
	browser context.Context
	stop    []func()
}

func TestMain(m *testing.M) {
	traffic.Main()
	code := m.Run()
	traffic.RemoveExecutables()
	for _, stop := range slices.Backward(shared.stop) {
		stop()
	}
	os.Exit(code)
}

// start returns the server, after it has started it and the browser.
func start(t *testing.T) *server {
	t.Helper()
	testenv.RequireKernel(t)
	binary := testenv.Collector(t)
	chromium, err := exec.LookPath("chromium")
	if err != nil {
		testenv.Missing(t, "there is no Chromium, run `make chromium`: "+err.Error())
	}
	shared.once.Do(func() {
		directory, err := os.MkdirTemp("", "event-store-page")
		if err != nil {
			shared.err = err
			return
		}
		shared.stop = append(shared.stop, func() { _ = os.RemoveAll(directory) })
		if shared.server, shared.err = newServer(binary, directory, nil); shared.err != nil {
			return
		}
		shared.stop = append(shared.stop, shared.server.kill)
		shared.browser, shared.err = newBrowser(chromium)
	})
	if shared.err != nil {
		t.Fatal(shared.err)
	}
	return shared.server
}

// newBrowser starts Chromium. It resolves no names, so that it can reach this host alone.
func newBrowser(path string) (context.Context, error) {
	options := append(chromedp.DefaultExecAllocatorOptions[:len(chromedp.DefaultExecAllocatorOptions):len(chromedp.DefaultExecAllocatorOptions)],
		chromedp.ExecPath(path),
		chromedp.NoSandbox, // Chromium refuses to run as root with a sandbox
		chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-domain-reliability", true),
		chromedp.Flag("host-resolver-rules", "MAP * ~NOTFOUND, EXCLUDE localhost"),
	)
	allocator, cancelAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	browser, cancel := chromedp.NewContext(allocator, chromedp.WithErrorf(func(string, ...any) {}))
	shared.stop = append(shared.stop, cancelAllocator, cancel)
	if err := chromedp.Do(browser); err != nil {
		return nil, errors.Join(errors.New("start "+path), err)
	}
	return browser, nil
}
