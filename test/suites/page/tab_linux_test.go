// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
)

// tab is a tab of the browser. At the end of its test, it must not have sent requests to other hosts, and its console must be empty.
type tab struct {
	t      *testing.T
	server *server
	ctx    context.Context

	mu       sync.Mutex
	console  []string
	requests []string
	// expected are parts of messages that belong to the test.
	expected []string
}

// window is how a tab looks.
type window struct {
	width, height int64
	scheme        string
}

var wide = window{1280, 800, "light"}

// open opens a path of the server in a new tab.
func open(t *testing.T, s *server, path string, w window) *tab {
	t.Helper()
	ctx, cancel := chromedp.NewContext(shared.browser)
	ctx, stop := context.WithTimeout(ctx, testenv.Patiently(time.Minute))
	b := &tab{t: t, server: s, ctx: ctx}
	messages := chromedp.Console(ctx)
	go func() {
		for message, err := range messages {
			if err != nil {
				return
			}
			b.mu.Lock()
			b.console = append(b.console, message.String()+" "+message.URL)
			b.mu.Unlock()
		}
	}()
	require.NoError(t, chromedp.Listen(ctx, func(happened any) {
		if request, ok := happened.(*network.EventRequestWillBeSent); ok {
			b.mu.Lock()
			b.requests = append(b.requests, request.Request.URL)
			b.mu.Unlock()
		}
	}))
	_, err := chromedp.Call(ctx, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: w.scheme}},
	})
	require.NoError(t, err)
	b.do(chromedp.EmulateViewport(w.width, w.height), chromedp.Navigate(s.url(path)))
	t.Cleanup(func() {
		b.check()
		stop()
		cancel()
	})
	return b
}

// check checks the tab's requests and its console.
func (b *tab) check() {
	b.mu.Lock()
	defer b.mu.Unlock()
	assert.NotEmpty(b.t, b.requests)
	for _, request := range b.requests {
		u, err := url.Parse(request)
		if assert.NoError(b.t, err) {
			assert.Equal(b.t, fmt.Sprintf("localhost:%d", b.server.port), u.Host, request)
		}
	}
messages:
	for _, message := range b.console {
		for _, part := range b.expected {
			if strings.Contains(message, part) {
				continue messages
			}
		}
		assert.Fail(b.t, "on the console", message)
	}
}

func (b *tab) do(actions ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	require.NoError(b.t, chromedp.Do(b.ctx, actions...))
}

// eval evaluates JavaScript in the tab.
func eval[T any](b *tab, script string) T {
	b.t.Helper()
	value, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](script))
	require.NoError(b.t, err, script)
	return value
}

// wait waits until a script is true.
func (b *tab) wait(script string) {
	b.t.Helper()
	require.Eventually(b.t, func() bool { return eval[bool](b, "Boolean("+script+")") }, testenv.Patiently(patience), 50*time.Millisecond,
		"%s never became true. The page says:\n%s", script, lazily(func() string { return eval[string](b, "document.body.innerText") }))
}

// lazily is a text that is computed only when it is printed.
type lazily func() string

func (l lazily) String() string { return l() }

// text returns what an element says.
func (b *tab) text(selector string) string {
	b.t.Helper()
	return eval[string](b, fmt.Sprintf("document.querySelector(%q)?.textContent ?? '(nothing)'", selector))
}

// click clicks into the middle of an element, as a mouse does.
func (b *tab) click(selector string) {
	b.t.Helper()
	b.do(chromedp.Click(chromedp.CSS(selector), chromedp.NodeVisible))
}

// press presses keys. As with a real keyboard, and unlike with chromedp.KeyEvent, a key that the page takes writes nothing.
func (b *tab) press(keys string) {
	b.t.Helper()
	for _, key := range keys {
		events := kb.Encode(key)
		down := *events[0]
		for _, e := range events {
			if e.Type == kb.KeyChar {
				down.Type, down.Text = input.DispatchKeyEventTypeKeyDown, e.Text
			}
		}
		for _, e := range []input.DispatchKeyEventParams{down, *events[len(events)-1]} {
			_, err := chromedp.Call(b.ctx, input.DispatchKeyEvent, e)
			require.NoError(b.t, err)
		}
	}
}

// query returns the parameters in the address of the page.
func (b *tab) query() url.Values {
	b.t.Helper()
	values, err := url.ParseQuery(strings.TrimPrefix(eval[string](b, "location.search"), "?"))
	require.NoError(b.t, err)
	return values
}

// row is one of the table.
type row struct {
	Sequence               int64
	Level, Type, Who, Body string
}

// rows returns the rows of the table, from the top.
func (b *tab) rows() []row {
	b.t.Helper()
	return eval[[]row](b, `[...document.querySelectorAll('#rows > tr')].map((r) => ({Sequence: Number(r.dataset.sequence), Level: r.dataset.level,
		Type: r.querySelector('.c-type').textContent, Who: r.querySelector('.c-process').textContent, Body: r.querySelector('.c-body').textContent}))`)
}

// waitRows waits until the table has a number of rows, and returns them.
func (b *tab) waitRows(count int) []row {
	b.t.Helper()
	b.wait(fmt.Sprintf("document.querySelectorAll('#rows > tr').length === %d", count))
	return b.rows()
}

// requireShown waits until the table shows just these events, in their order.
func (b *tab) requireShown(events []event) {
	b.t.Helper()
	sequences := make([]string, len(events))
	for i, e := range events {
		sequences[i] = strconv.FormatInt(e.Sequence, 10)
	}
	b.wait(fmt.Sprintf("String([...document.querySelectorAll('#rows > tr')].map((r) => r.dataset.sequence)) === %q", strings.Join(sequences, ",")))
	rows := b.rows()
	for i, e := range events {
		want := row{
			Sequence: e.Sequence, Level: map[string]string{"WARN": "warn", "ERROR": "error"}[e.Severity], Type: strings.TrimPrefix(e.Type, "ebpf."),
			Who: fmt.Sprintf("%s %d", e.Command, e.PID), Body: e.Body,
		}
		if want.Level == "" {
			want.Level = "info"
		}
		assert.Equal(b.t, want, rows[i])
	}
}

// screenshot writes what the tab shows to .cache/screenshots.
func (b *tab) screenshot(name string) {
	b.t.Helper()
	image, err := chromedp.Run(b.ctx, chromedp.CaptureScreenshot())
	require.NoError(b.t, err)
	path := testenv.Repository(b.t, filepath.Join(".cache/screenshots", name+".png"))
	require.NoError(b.t, os.MkdirAll(filepath.Dir(path), 0o755))
	require.NoError(b.t, os.WriteFile(path, image, 0o600))
}
