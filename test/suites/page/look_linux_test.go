// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
)

// A narrow window shows everything without scrolling to the side.
func TestNarrow(t *testing.T) {
	s := start(t)
	port := refused(t, 2)
	s.events(t, connects(port), 2)
	b := open(t, s, "/?"+connects(port), window{400, 800, "light"})
	b.waitRows(2)
	fits := func(what string) {
		assert.Equal(t, 400, eval[int](b, "document.documentElement.scrollWidth"), what)
	}
	fits("events")
	assert.True(t, eval[bool](b, "document.querySelector('#rows .c-body').getBoundingClientRect().right <= 400"))
	b.screenshot("narrow")
	b.click("#rows > tr")
	b.wait("!document.querySelector('#detail').hidden")
	fits("details")
	assert.Equal(t, 400, eval[int](b, "document.querySelector('#detail').offsetWidth"))
	b.click("#detail .close")
	b.click("#tab-programs")
	b.wait("document.querySelectorAll('#programs tr').length > 2")
	fits("programs")
	b.press("?")
	b.wait("document.querySelector('#help').open")
	fits("help")
}

// The page follows the browser's light or dark scheme, and its text has enough contrast in both.
func TestColours(t *testing.T) {
	s := start(t)
	port := refused(t, 1)
	s.events(t, connects(port), 1)
	for scheme, isDark := range map[string]bool{"light": false, "dark": true} {
		b := open(t, s, "/?"+connects(port), window{1280, 800, scheme})
		b.waitRows(1)
		assert.Equal(t, isDark, eval[float64](b, luminance+"luminance('body', 'backgroundColor')") < 0.5, scheme)
		for _, element := range []string{"body", ".quiet", "#rows .c-severity", "#rows .c-time", "#rows .c-body", "#status"} {
			contrast := eval[float64](b, luminance+fmt.Sprintf("contrast(%q)", element))
			assert.GreaterOrEqual(t, contrast, 4.5, "%s, %s", scheme, element)
		}
	}
}

// luminance computes the contrast of text on the ground of the page, as WCAG 2 defines it.
const luminance = `
globalThis.luminance ??= (selector, property) => {
	const [r, g, b] = getComputedStyle(document.querySelector(selector))[property].match(/[\d.]+/g).map(Number)
		.map((c) => c / 255).map((c) => c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
	return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
globalThis.contrast ??= (selector) => {
	const [low, high] = [luminance(selector, 'color'), luminance('body', 'backgroundColor')].sort((a, b) => a - b);
	return (high + 0.05) / (low + 0.05);
};
`

// The help names the keys, and all of them work without a mouse.
func TestKeyboard(t *testing.T) {
	s := start(t)
	port := refused(t, 3)
	events := s.events(t, connects(port), 3)
	b := open(t, s, "/?"+connects(port), wide)
	b.waitRows(3)
	b.press("?")
	b.wait("document.querySelector('#help').open")
	b.screenshot("help")
	b.press(kb.Escape)
	b.wait("!document.querySelector('#help').open")
	b.press("j")
	b.press("j")
	assert.Equal(t, fmt.Sprint(events[1].Sequence), eval[string](b, "document.activeElement.dataset.sequence"))
	b.press(kb.Enter)
	b.wait("!document.querySelector('#detail').hidden")
	assert.Equal(t, events[1].Body, b.text("#detail .said"))
	b.press(kb.Escape)
	b.wait("document.querySelector('#detail').hidden")
	assert.Equal(t, fmt.Sprint(events[1].Sequence), eval[string](b, "document.activeElement.dataset.sequence"), "the focus is back")
	b.press("2")
	b.wait("!document.querySelector('#view-programs').hidden")
	b.press("1")
	b.wait("!document.querySelector('#view-events').hidden")
	assert.Equal(t, fmt.Sprint(port), b.query().Get("port"), "the filters are kept")
	// In an input field, keys enter text.
	b.press("/")
	b.press("p/?jx")
	assert.Equal(t, "p/?jx", eval[string](b, "document.querySelector('#filter-input').value"))
	assert.Equal(t, "Live", b.text("#status"))
	// Every button and link has a name.
	assert.Empty(t, eval[[]string](b, `[...document.querySelectorAll('button, a, input, select')]
		.filter((e) => !(e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.[0]?.textContent)).map((e) => e.outerHTML)`))
	assert.Equal(t, "polite", eval[string](b, "document.querySelector('#status').getAttribute('aria-live')"))
}
