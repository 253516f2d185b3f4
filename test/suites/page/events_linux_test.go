// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// A problem leads to its events, and back.
func TestProblem(t *testing.T) {
	s := start(t)
	const connections = 7
	port := refused(t, connections)
	events := s.events(t, connects(port), connections)
	b := open(t, s, "/", wide)
	b.wait("document.querySelector('#status').dataset.state === 'live'")
	peer := fmt.Sprintf("127.0.0.1:%d", port)
	b.wait(fmt.Sprintf("document.querySelector('#problems')?.textContent.includes(%q) || document.querySelector('#problems-more').click()", peer))
	problem := fmt.Sprintf("[...document.querySelectorAll('#problems a')].find((a) => a.textContent.includes(%q))", peer)
	assert.Equal(t, events[0].Command+" cannot connect to "+peer+": refused (reset by peer)", eval[string](b, problem+".querySelector('.title').textContent"))
	assert.Equal(t, "7 ×", eval[string](b, problem+".querySelector('.count').textContent"))
	assert.Equal(t, "new", eval[string](b, problem+".querySelector('.change').textContent"))
	assert.Equal(t, "warn", eval[string](b, problem+".closest('li').dataset.level"))
	b.wait("document.querySelector('#chart-rows [data-type=\"ebpf.connection.connect\"] path[data-level=warn]')")
	b.wait("document.title.startsWith('(')")

	eval[any](b, problem+".click()")
	b.requireShown(events)
	query := b.query()
	for name, value := range map[string]string{"type": "ebpf.connection.connect", "port": strconv.Itoa(port), "error": "refused", "address": "127.0.0.1"} {
		assert.Equal(t, value, query.Get(name), name)
	}
	assert.True(t, query.Has("since") && query.Has("until"))
	assert.Equal(t, "window", eval[string](b, "document.querySelector('#status').dataset.state"))

	eval[any](b, "history.back()")
	b.wait("location.search === '' && document.querySelector('#status').dataset.state === 'live'")
	b.wait("document.querySelectorAll('#rows > tr').length > 7")
}

// Filters are entered as text and appear in the address. An invalid filter shows what is wrong and what is allowed.
func TestFilter(t *testing.T) {
	s := start(t)
	port, other := refused(t, 3), refused(t, 2)
	events := s.events(t, connects(port), 3)
	s.events(t, connects(other), 2)
	b := open(t, s, "/", wide)
	b.expected = []string{"422"}
	b.press("/")
	assert.Equal(t, "filter-input", eval[string](b, "document.activeElement.id"))
	b.press(fmt.Sprintf("type=ebpf.connection.connect pid=%d port=%d", os.Getpid(), port) + kb.Enter)
	b.requireShown(events)
	assert.Equal(t, strconv.Itoa(port), b.query().Get("port"))
	assert.Equal(t, "3", eval[string](b, "String(document.querySelectorAll('#chips .chip').length)"))

	b.click("#chips [data-name=port] a")
	b.wait("document.querySelectorAll('#rows > tr').length > 3")
	assert.False(t, b.query().Has("port"))

	b.click("#filter-input")
	b.press(strconv.Itoa(port) + kb.Enter)
	b.wait("!document.querySelector('#filter-error').hidden")
	assert.Equal(t, fmt.Sprintf("Write pid=%d or port=%d.", port, port), b.text("#filter-error"))
	eval[any](b, "document.querySelector('#filter-input').value = ''")
	b.press("pid=x colour=red" + kb.Enter)
	b.wait("document.querySelector('#filter-error').textContent.includes('integer')")
	assert.Contains(t, b.text("#filter-error"), "pid: it must be an integer from 0 to")
	assert.Contains(t, b.text("#filter-error"), "colour: there is no such parameter")
	assert.Empty(t, b.rows())

	b.press(kb.Escape + "x")
	b.wait("location.search === '' && document.querySelector('#filter-error').hidden && document.querySelectorAll('#rows > tr').length > 3")
}

// Events that come in appear by themselves, unless the table is paused.
func TestLive(t *testing.T) {
	s := start(t)
	port := refused(t, 0)
	b := open(t, s, "/?"+connects(port), wide)
	b.wait("!document.querySelector('#events-empty').hidden")
	assert.Contains(t, b.text("#events-empty"), "No event matches yet.")
	refusedAt(t, port, 3)
	b.waitRows(3)
	b.requireShown(s.events(t, connects(port), 3))
	assert.True(t, eval[bool](b, "document.querySelector('#events-empty').hidden"))

	b.press("p")
	assert.Equal(t, "Paused", b.text("#status"))
	assert.Equal(t, "true", eval[string](b, "document.querySelector('#pause').getAttribute('aria-pressed')"))
	refusedAt(t, port, 2)
	b.wait("document.querySelector('#waiting').textContent === '2 new'")
	assert.Len(t, b.rows(), 3)
	b.press(" ")
	b.requireShown(s.events(t, connects(port), 5))
	assert.Equal(t, "Live", b.text("#status"))
	assert.Empty(t, b.text("#waiting"))
}

// A link shows the same filters and the same window of time in another tab.
func TestDeepLink(t *testing.T) {
	s := start(t)
	port := refused(t, 4)
	events := s.events(t, connects(port), 4)
	const layout = "2006-01-02T15:04:05.999999999Z07:00"
	path := fmt.Sprintf("/?%s&since=%s&until=%s", connects(port), events[2].Time.UTC().Format(layout), events[0].Time.UTC().Format(layout))
	b := open(t, s, path, wide)
	b.requireShown(events[1:3]) // until is excluded
	assert.Contains(t, b.text("#window"), "Show new events")
	b.press("l")
	b.requireShown(events)
	assert.Equal(t, "Live", b.text("#status"))
}

// If a window begins before the oldest stored event, the page says so.
func TestReach(t *testing.T) {
	s := start(t)
	port := refused(t, 1)
	s.events(t, connects(port), 1)
	b := open(t, s, "/?since=7d&"+connects(port), wide)
	b.waitRows(1)
	b.wait("document.querySelector('#notices').textContent.startsWith('The store reaches back to ')")
	assert.Contains(t, b.text("#store"), "Stored since ")
	b.do(chromedp.SetValue(chromedp.CSS("#since"), ""))
	eval[any](b, "document.querySelector('#since').dispatchEvent(new Event('change', {bubbles: true}))")
	b.wait("document.querySelector('#notices').textContent === ''")
	assert.False(t, b.query().Has("since"))
}

// Further pages of events can be loaded, without gaps or duplicates.
func TestOlder(t *testing.T) {
	s := start(t)
	const connections = 700
	port := refused(t, connections)
	events := s.events(t, connects(port), connections)
	b := open(t, s, "/?"+connects(port), wide)
	b.waitRows(300)
	for _, count := range []int{599, connections} { // the last event is loaded again
		eval[any](b, "document.querySelector('#older').click()")
		b.waitRows(count)
	}
	b.requireShown(events)
	b.wait("document.querySelector('#older').hidden")
	assert.Equal(t, "There are no older events.", b.text("#older-note"))
	require.Equal(t, "Paused", b.text("#status"))
}
