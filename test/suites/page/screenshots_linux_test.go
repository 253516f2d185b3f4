// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package page

import (
	"errors"
	"flag"
	"io"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/testenv"
	"github.com/otelcol-ebpf/otelcol-ebpf/test/support/traffic"
)

// trafficTime is longer for the pictures of the documentation: go test ./test/suites/page -run Screenshots -traffic 3m
var trafficTime = flag.Duration("traffic", 3*time.Second, "how long the processes on the screenshots talk")

// shop is the traffic of one process on the screenshots.
type shop struct {
	For     time.Duration
	Every   time.Duration
	Refused string // address that nobody listens on
	Serves  bool   // connects to a server of its own
	Resets  bool   // the connections end by a reset
	Bytes   int
}

var runShop = traffic.Define("page.shop", func(s shop) (struct{}, error) { return struct{}{}, s.run() })

func (s *shop) run() error {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer listener.Close()
	for end := time.Now().Add(s.For); time.Now().Before(end); time.Sleep(s.Every/2 + rand.N(s.Every)) {
		if s.Refused != "" {
			if _, err := net.Dial("tcp4", s.Refused); err == nil {
				return errors.New(s.Refused + " is not refused")
			}
		}
		if !s.Serves {
			continue
		}
		if err := s.exchange(listener); err != nil {
			return err
		}
	}
	return nil
}

// exchange makes one connection.
func (s *shop) exchange(listener net.Listener) error {
	client, err := net.Dial("tcp4", listener.Addr().String())
	if err != nil {
		return err
	}
	defer client.Close()
	server, err := listener.Accept()
	if err != nil {
		return err
	}
	defer server.Close()
	if _, err := client.Write(make([]byte, 1+rand.N(s.Bytes))); err != nil {
		return err
	}
	if s.Resets {
		return server.(*net.TCPConn).SetLinger(0)
	}
	if err := client.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, server)
	return err
}

// The pictures of the documentation are real: they show what a few processes of this test do.
func TestScreenshots(t *testing.T) {
	start(t)
	processes := map[string]shop{
		"storefront":     {Serves: true, Bytes: 50_000, Every: 60 * time.Millisecond},
		"shop-checkout":  {Refused: "127.0.0.1:5432", Every: 500 * time.Millisecond},
		"shop-payments":  {Serves: true, Resets: true, Bytes: 900, Every: 300 * time.Millisecond},
		"nightly-backup": {Refused: "127.0.0.1:873", Every: 1500 * time.Millisecond},
	}
	names := make([]string, 0, len(processes))
	for name := range processes {
		names = append(names, name)
	}
	s, err := newServer(testenv.Collector(t), t.TempDir(), names)
	require.NoError(t, err)
	t.Cleanup(s.kill)
	var running sync.WaitGroup
	for name, process := range processes {
		process.For = *trafficTime
		running.Go(func() { traffic.Once(t, name, nil, runShop, process) })
	}
	since := "20s"
	if *trafficTime > time.Minute {
		since = "2m"
	}
	time.Sleep(*trafficTime * 3 / 4)

	light := open(t, s, "/?since="+since, wide)
	light.wait("document.querySelectorAll('#problems li').length >= 3 && document.querySelectorAll('#rows > tr').length > 9")
	assert.Contains(t, light.text("#problems"), "shop-checkout cannot connect to 127.0.0.1:5432: refused")
	assert.Contains(t, light.text("#problems"), "nightly-backup cannot connect to 127.0.0.1:873: refused")
	light.wait("document.querySelectorAll('#chart-rows .strip').length >= 4")
	light.screenshot("problems")

	dark := open(t, s, "/?severity=warn&since="+since, window{1280, 800, "dark"})
	dark.wait("document.querySelectorAll('#rows > tr').length > 9")
	dark.press("p")
	row := "[...document.querySelectorAll('#rows > tr')].find((r) => r.textContent.includes('shop-checkout'))"
	dark.wait(row)
	eval[any](dark, row+".click()")
	dark.wait("!document.querySelector('#detail').hidden && document.querySelectorAll('#problems li').length >= 3")
	assert.Equal(t, "refused", dark.shownAttributes()["error.type"])
	dark.wait("document.querySelector('#chart-rows path[data-level=warn]')")
	dark.screenshot("detail")
	running.Wait()
}
