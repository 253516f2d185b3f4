// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"strconv"
	"testing"

	"github.com/chromedp/chromedp/kb"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/pdata/pcommon"
	"go.opentelemetry.io/collector/pdata/plog"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/collector"
)

// shownAttributes are the attributes in the details, as text.
func (b *tab) shownAttributes() map[string]string {
	b.t.Helper()
	return eval[map[string]string](b, `Object.fromEntries([...document.querySelectorAll('#detail dd')].map((d) => [d.dataset.name, d.querySelector('.value').textContent]))`)
}

// A click on a row shows all attributes of the event, with links to related events.
func TestDetail(t *testing.T) {
	s := start(t)
	port, err := collector.FreePort()
	require.NoError(t, err)
	listener, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(port))) //nolint:noctx // of a test
	require.NoError(t, err)
	for range 2 {
		connection, err := net.Dial("tcp", listener.Addr().String()) //nolint:noctx // of a test
		require.NoError(t, err)
		accepted, err := listener.Accept()
		require.NoError(t, err)
		require.NoError(t, connection.Close())
		require.NoError(t, accepted.Close())
	}
	require.NoError(t, listener.Close())
	events := s.events(t, connects(port), 2)
	b := open(t, s, "/?"+connects(port), window{1280, 800, "dark"})
	b.requireShown(events)
	b.click("#rows > tr:nth-child(2)")
	b.wait("!document.querySelector('#detail').hidden")
	e := events[1]
	assert.Equal(t, e.Type, b.text("#detail-title"))
	assert.Equal(t, e.Body, b.text("#detail .said"))
	want := map[string]string{}
	for name, value := range e.Attributes {
		want[name] = fmt.Sprint(value)
		if number, ok := value.(float64); ok {
			text, err := json.Marshal(number)
			require.NoError(t, err)
			want[name] = string(text)
		}
	}
	for name, value := range e.Resource {
		want[name] = fmt.Sprint(value)
	}
	shown := b.shownAttributes()
	for name := range want {
		number, err := strconv.ParseFloat(want[name], 64)
		if err != nil {
			continue
		}
		other, err := strconv.ParseFloat(shown[name], 64) // Go and JavaScript write small numbers in their own ways
		require.NoError(t, err, name)
		assert.InDelta(t, number, other, 0, name)
		delete(want, name)
		delete(shown, name)
	}
	assert.Equal(t, want, shown)

	cookie := strconv.FormatInt(int64(e.Attributes["ebpf.socket.cookie"].(float64)), 10)
	for link, parameters := range map[string]url.Values{
		"process":    {"pid": {strconv.Itoa(os.Getpid())}, "command": {e.Command}},
		"connection": {"cookie": {cookie}},
		"peer":       {"address": {"127.0.0.1"}, "port": {strconv.Itoa(port)}},
		"type":       {"type": {e.Type}},
	} {
		href := eval[string](b, fmt.Sprintf("document.querySelector('#detail [data-link=%s]').getAttribute('href')", link))
		got, err := url.ParseQuery(href[1:])
		require.NoError(t, err)
		assert.Equal(t, parameters, got, link)
	}

	// The address opens the same event in another tab, with any filter.
	address := eval[string](b, "location.pathname + '?type=packet_drop' + location.hash")
	again := open(t, s, address, wide)
	again.wait("!document.querySelector('#detail').hidden")
	assert.Equal(t, e.Body, again.text("#detail .said"))

	b.press("k")
	assert.Equal(t, events[0].Body, b.text("#detail .said"), "the event above")
	b.press("j")
	assert.Equal(t, e.Body, b.text("#detail .said"), "the event below")
	b.press(kb.Escape)
	b.wait("document.querySelector('#detail').hidden && location.hash === ''")
	b.press(kb.Enter)
	b.wait("!document.querySelector('#detail').hidden")

	b.click("#detail [data-link=connection]")
	all := s.events(t, "cookie="+cookie, 2) // connect and close
	b.requireShown(all)
	for i := range all {
		assert.Equal(t, e.Attributes["ebpf.socket.cookie"], all[i].Attributes["ebpf.socket.cookie"])
	}
	b.click("#rows > tr")
	b.wait("!document.querySelector('#detail').hidden")
	eval[any](b, "document.querySelector('#detail dd[data-name=\"network.transport\"] a').click()")
	b.requireShown(all)
	assert.Equal(t, url.Values{"cookie": {cookie}, "attr.network.transport": {"tcp"}}, b.query())
}

// Markup in an event's text is shown as text.
func TestHostileText(t *testing.T) {
	s := start(t)
	const markup = `<img src="https://evil.example/x" onerror="document.title='taken'"><script>document.title='taken'</script>`
	logs := plog.NewLogs()
	rl := logs.ResourceLogs().AppendEmpty()
	rl.Resource().Attributes().PutStr("of.resource", markup)
	lr := rl.ScopeLogs().AppendEmpty().LogRecords().AppendEmpty()
	lr.SetEventName("hostile" + markup)
	lr.SetTimestamp(pcommon.NewTimestampFromTime(now()))
	lr.SetSeverityNumber(plog.SeverityNumberError)
	lr.Body().SetStr(markup + "\u202egnp.exe\x1b[31m")
	lr.Attributes().PutStr(markup, markup)
	lr.Attributes().PutStr("process.executable.name", markup)
	lr.Attributes().PutInt("process.pid", 4711)
	require.NoError(t, s.send(logs))
	s.events(t, "pid=4711", 1)
	b := open(t, s, "/?pid=4711", wide)
	shown := b.waitRows(1)[0]
	const invisible = "�"
	assert.Equal(t, row{Sequence: shown.Sequence, Level: "error", Type: "hostile" + markup, Who: markup + " 4711", Body: markup + invisible + "gnp.exe" + invisible + "[31m"}, shown)
	b.click("#rows > tr")
	b.wait("!document.querySelector('#detail').hidden")
	assert.Equal(t, markup, b.shownAttributes()[markup])
	b.wait(fmt.Sprintf("document.querySelector('#problems').textContent.includes(%q) || document.querySelector('#problems-more').click()", "hostile"))
	assert.Zero(t, eval[int](b, "document.querySelectorAll('img, body script, iframe').length"))
	assert.NotEqual(t, "taken", eval[string](b, "document.title"))
}
