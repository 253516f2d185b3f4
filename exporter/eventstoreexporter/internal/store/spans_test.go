// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package store

import (
	"cmp"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// span is how long something took. On a machine with other load much of that is waiting for a CPU; work is the time without this, and
// cpu is what the calling thread computed.
type span struct{ wall, work, cpu time.Duration }

type spans []span

// spend measures a function, whose work is that of the calling goroutine.
func spend(t testing.TB, what func()) span {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ran, waited := schedule(t)
	began := time.Now()
	what()
	wall := time.Since(began)
	ranThen, waitedThen := schedule(t)
	return span{wall, max(0, wall-(waitedThen-waited)), ranThen - ran}
}

// schedule returns for how long the thread has run, and for how long it has waited for a CPU.
func schedule(t testing.TB) (ran, waited time.Duration) {
	t.Helper()
	text, err := os.ReadFile("/proc/thread-self/schedstat")
	require.NoError(t, err)
	fields := strings.Fields(string(text))
	require.GreaterOrEqual(t, len(fields), 2)
	numbers := make([]int64, 2)
	for i := range numbers {
		numbers[i], err = strconv.ParseInt(fields[i], 10, 64)
		require.NoError(t, err)
	}
	return time.Duration(numbers[0]), time.Duration(numbers[1])
}

func (s spans) sorted(of func(span) time.Duration) []time.Duration {
	all := make([]time.Duration, len(s))
	for i := range s {
		all[i] = of(s[i])
	}
	slices.SortFunc(all, cmp.Compare[time.Duration])
	return all
}

// p99 describes the 99th percentile, most the maximum.
func (s spans) p99() string  { return s.text("p99", (len(s)*99+99)/100-1) }
func (s spans) most() string { return s.text("at most", len(s)-1) }

func (s spans) text(what string, place int) string {
	wall, work, cpu := s.sorted(func(one span) time.Duration { return one.wall }),
		s.sorted(func(one span) time.Duration { return one.work }), s.sorted(func(one span) time.Duration { return one.cpu })
	return fmt.Sprintf("%s %.1f ms, median %.1f; without waiting for a CPU %.1f, %.1f; computing %.1f, %.1f", what,
		milliseconds(wall[place]), milliseconds(wall[len(s)/2]), milliseconds(work[place]), milliseconds(work[len(s)/2]),
		milliseconds(cpu[place]), milliseconds(cpu[len(s)/2]))
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }
