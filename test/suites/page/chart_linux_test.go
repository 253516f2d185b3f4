// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"fmt"
	"net/url"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func now() time.Time { return time.Now() }

// The address has the window that is selected in the chart, and the table shows its events.
func TestBrush(t *testing.T) {
	s := start(t)
	port := refused(t, 5)
	events := s.events(t, connects(port), 5)
	b := open(t, s, "/?"+connects(port)+"&since=5m", wide)
	b.waitRows(5)
	b.wait("document.querySelector('#chart-rows [data-type=\"ebpf.connection.connect\"] path')")
	assert.Equal(t, "5", b.text("#chart-rows .columns :last-child"))

	box := eval[map[string]float64](b, "document.querySelector('#brush').getBoundingClientRect().toJSON()")
	y := box["y"] + 10
	b.do(chromedp.DragAndDropXY(box["left"]+box["width"]*0.5, y, box["right"]-1, y))
	b.wait("location.search.includes('until=')")
	window := timesOf(t, b.query())
	assert.InDelta(t, 150, window[1].Sub(window[0]).Seconds(), 10)
	inWindow := func() []event {
		var found []event
		for _, e := range events {
			if !e.Time.Before(window[0]) && e.Time.Before(window[1]) {
				found = append(found, e)
			}
		}
		return found
	}
	b.requireShown(inWindow())
	assert.False(t, eval[bool](b, "document.querySelector('#brush-window').hidden"))

	// The first half of the window is empty: the events are new.
	eval[any](b, "document.querySelector('#brush').focus()")
	b.press(kb.Home) // the chart ignores other keys
	b.press(kb.ArrowLeft)
	for range 2 {
		b.do(chromedp.KeyEvent(kb.ArrowLeft, chromedp.KeyModifiers(chromedp.ModifierShift)))
	}
	assert.Contains(t, eval[string](b, "document.querySelector('#brush').getAttribute('aria-valuetext')"), " to ")
	before := b.query().Get("until")
	b.press(kb.Enter)
	b.wait(fmt.Sprintf("new URLSearchParams(location.search).get('until') !== %q", before))
	window = timesOf(t, b.query())
	assert.Less(t, window[1].Sub(window[0]), 20*time.Second)
	b.requireShown(inWindow())
}

func timesOf(t *testing.T, query url.Values) (window [2]time.Time) {
	t.Helper()
	for i, name := range []string{"since", "until"} {
		var err error
		window[i], err = time.Parse(time.RFC3339Nano, query.Get(name))
		require.NoError(t, err)
	}
	return window
}

// The programs are those that the API names.
func TestPrograms(t *testing.T) {
	s := start(t)
	b := open(t, s, "/?view=programs", wide)
	b.wait("document.querySelectorAll('#programs tr').length > 2")
	var answer struct {
		Programs []struct{ Name, State, Hook string }
	}
	s.ask(t, "/api/programs", &answer)
	shown := map[string][2]string{}
	for _, name := range eval[[]string](b, "[...document.querySelectorAll('#programs tr')].map((r) => r.dataset.program)") {
		of := "#programs tr[data-program=" + name + "] "
		shown[name] = [2]string{b.text(of + ".state"), b.text(of + ".hook")}
	}
	want := map[string][2]string{}
	for _, p := range answer.Programs {
		if p.State == "" { // only lost events of the program are known
			p.State = "not known"
		}
		want[p.Name] = [2]string{p.State, p.Hook}
	}
	assert.Equal(t, want, shown)
	for _, program := range []string{"connection", "packet_drop", "tcp"} {
		assert.Equal(t, "attached", shown[program][0], program)
	}
	b.screenshot("programs")
	b.click("#programs tr[data-program=connection] a")
	b.wait("!document.querySelector('#view-events').hidden && location.search === '?type=connection'")
}
