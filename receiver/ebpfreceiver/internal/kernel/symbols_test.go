// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package kernel

import (
	"bufio"
	"errors"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// kallsyms is in the kernel's order: its own symbols, then those of modules, then those created at run time.
const kallsyms = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T srso_alias_untrain_ret
ffffffff81000000 T _stext
ffffffff81000000 T _text
ffffffff81000120 t __pfx_tcp_v4_rcv
ffffffff81000130 T tcp_v4_rcv
ffffffff81000130 T tcp_v4_rcv_alias
ffffffff81000800 t ip_rcv_core.isra.0
ffffffff81000a00 t tcp_ack.part.0
ffffffff81000b00 W weak_function
ffffffff81000c00 t tcp_v4_rcv.cold
ffffffff81001000 T _etext
ffffffff82000000 D some_data
ffffffff83000000 t init_function
ffffffffc0001000 t nf_first	[nf_tables]
ffffffffc0001200 t nf_second	[nf_tables]
ffffffffc0001300 d nf_data	[nf_tables]
ffffffffc0000000 t ovs_dp_process_packet	[openvswitch]
ffffffffc0003000 t bpf_prog_6deef7357e7b4530	[bpf]
ffffffffc0004000 t ftrace_trampoline	[__builtin__ftrace]
`

func reader(text string) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(text)), nil }
}

func TestSymbolName(t *testing.T) {
	s := newSymbols(reader(kallsyms), time.Now)
	for address, want := range map[uint64]string{
		0:                  "",
		1:                  "",
		0xffffffff80ffffff: "",
		0xffffffff81000000: "srso_alias_untrain_ret", // the first of several with this address
		0xffffffff81000130: "tcp_v4_rcv",
		0xffffffff810007ff: "tcp_v4_rcv",
		0xffffffff81000800: "ip_rcv_core",
		0xffffffff81000a01: "tcp_ack",
		0xffffffff81000b01: "weak_function",
		0xffffffff81000c01: "tcp_v4_rcv",
		0xffffffff81000fff: "tcp_v4_rcv",
		0xffffffff81001000: "", // the end of the text
		0xffffffff82000000: "",
		0xffffffff83000000: "", // initialisation code is freed after the boot
		0xffffffffc0000010: "ovs_dp_process_packet",
		0xffffffffc0000fff: "ovs_dp_process_packet",
		0xffffffffc0001000: "nf_first",
		0xffffffffc00011ff: "nf_first",
		0xffffffffc0001fff: "nf_second",
		0xffffffffc0002000: "", // may be a module that was loaded later
		0xffffffffc0003000: "", // an eBPF program
		0xffffffffc0004000: "",
		0xffffffffffffffff: "",
	} {
		name, err := s.Name(address)
		require.NoError(t, err)
		assert.Equal(t, want, name, "%#x", address)
	}
}

func TestFunctions(t *testing.T) {
	s := newSymbols(reader(kallsyms), time.Now)
	for _, tt := range []struct {
		name string
		want []Code
	}{
		{"tcp_v4_rcv", []Code{{0xffffffff81000130, 0x800 - 0x130}, {0xffffffff81000c00, 0x400}}}, // up to the end of the text
		{"ip_rcv_core", []Code{{0xffffffff81000800, 0x200}}},
		{"nf_first", []Code{{0xffffffffc0001000, 0x200}}},
		{"nf_second", []Code{{0xffffffffc0001200, 0xe00}}}, // up to the end of its page
		{"init_function", nil},
		{"bpf_prog_6deef7357e7b4530", nil},
		{"tcp_v4", nil},
	} {
		found, err := s.Functions(tt.name)
		require.NoError(t, err)
		assert.Equal(t, tt.want, found, tt.name)
	}
	found, err := s.Functions("nf_first", "no_such_function", "ip_rcv_core")
	require.NoError(t, err)
	assert.Equal(t, []Code{{0xffffffff81000800, 0x200}, {0xffffffffc0001000, 0x200}}, found)
}

// Every caller gets the reason why there are no names only once. Missing names are still searched for again.
func TestFunctionsAndNames(t *testing.T) {
	text := "0000000000000000 T tcp_v4_rcv\n"
	s := newSymbols(func() (io.ReadCloser, error) { return reader(text)() }, time.Now)
	_, err := s.Functions("tcp_v4_rcv")
	require.ErrorIs(t, err, ErrSymbolsHidden)
	_, err = s.Functions("tcp_v4_rcv")
	require.NoError(t, err)
	name, err := s.Name(0xffffffff81000130)
	require.NoError(t, err)
	assert.Empty(t, name)

	text = kallsyms
	s = newSymbols(func() (io.ReadCloser, error) { return reader(text)() }, time.Now)
	_, err = s.Functions("tcp_v4_rcv")
	require.NoError(t, err)
	text += "ffffffffc0005000 t late\t[late]\n"
	name, err = s.Name(0xffffffffc0005010)
	require.NoError(t, err)
	assert.Equal(t, "late", name, "a module that was loaded afterwards")
}

func TestSymbolsWithoutMarks(t *testing.T) {
	table, err := parseSymbols(strings.NewReader("ffffffff81000000 T first\nffffffff81000010 T last\n"))
	require.NoError(t, err)
	assert.Equal(t, "last", table.name(0xffffffff81000020))
}

func TestSymbolsOfAModuleLoadedLater(t *testing.T) {
	const address = 0xffffffffc0005010
	text, reads, now := kallsyms, 0, time.Unix(1000, 0)
	s := newSymbols(func() (io.ReadCloser, error) {
		reads++
		return reader(text)()
	}, func() time.Time { return now })

	name, err := s.Name(0xffffffff81000130)
	require.NoError(t, err)
	assert.Equal(t, "tcp_v4_rcv", name)
	assert.Equal(t, 1, reads, "read at first use")

	text += "ffffffffc0005000 t late\t[late]\n"
	name, _ = s.Name(address)
	assert.Empty(t, name, "the last refresh is too recent")
	assert.Equal(t, 1, reads)

	now = now.Add(refreshInterval)
	name, _ = s.Name(address)
	assert.Equal(t, "late", name)
	assert.Equal(t, 2, reads)

	// An address without a symbol triggers one refresh, not one per interval.
	now = now.Add(refreshInterval)
	name, _ = s.Name(42)
	assert.Empty(t, name)
	assert.Equal(t, 3, reads)
	now = now.Add(refreshInterval)
	_, _ = s.Name(42)
	assert.Equal(t, 3, reads)
	for i := range uint64(maxMissing) {
		s.missing[1000+i] = struct{}{}
	}
	now = now.Add(refreshInterval)
	_, _ = s.Name(43)
	assert.Len(t, s.missing, 1, "the set is bounded: it is cleared when full")
}

func TestSymbolsCovered(t *testing.T) {
	s := newSymbols(reader(""), time.Now)
	_, err := s.Name(0xffffffff81000000)
	require.ErrorIs(t, err, errSymbolsEmpty)
	assert.ErrorContains(t, err, "ProtectKernelTunables")
}

func TestSymbolsHidden(t *testing.T) {
	now := time.Unix(1000, 0)
	text := "0000000000000000 T _stext\n0000000000000000 T tcp_v4_rcv\n"
	s := newSymbols(func() (io.ReadCloser, error) { return reader(text)() }, func() time.Time { return now })

	_, err := s.Name(1)
	require.ErrorIs(t, err, ErrSymbolsHidden)
	assert.ErrorContains(t, err, "CAP_SYSLOG")
	for range 3 {
		now = now.Add(refreshInterval)
		name, err := s.Name(1)
		require.NoError(t, err, "said once")
		assert.Empty(t, name)
	}
	// With the capability, it works.
	text, now = kallsyms, now.Add(refreshInterval)
	name, err := s.Name(0xffffffff81000130)
	require.NoError(t, err)
	assert.Equal(t, "tcp_v4_rcv", name)
}

func TestSymbolErrors(t *testing.T) {
	for _, text := range []string{
		"what is this\n", "ffffffff81000000 T\n", "ffffffff81000000 TT name\n", "\n",
		"ffffffff81000000 T " + strings.Repeat("x", 2000) + "\n",
	} {
		_, err := newSymbols(reader(text), time.Now).Name(1)
		assert.ErrorContains(t, err, "/proc/kallsyms", "%.40q", text)
	}
	_, err := newSymbols(func() (io.ReadCloser, error) { return nil, os.ErrNotExist }, time.Now).Name(1)
	require.ErrorIs(t, err, os.ErrNotExist)
	assert.ErrorContains(t, err, "CONFIG_KALLSYMS")
}

func TestSymbolsConcurrently(t *testing.T) {
	reads := 0
	s := newSymbols(func() (io.ReadCloser, error) {
		reads++
		return reader(kallsyms)()
	}, time.Now)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			name, err := s.Name(0xffffffff81000130)
			assert.NoError(t, err)
			assert.Equal(t, "tcp_v4_rcv", name)
		})
	}
	wg.Wait()
	assert.Equal(t, 1, reads)
}

// receiveAddress returns the address of tcp_v4_rcv in the running kernel.
func receiveAddress(tb testing.TB) uint64 {
	tb.Helper()
	file, err := os.Open("/proc/kallsyms")
	need(tb, err == nil, "this machine has no /proc/kallsyms")
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		line, err := splitSymbol(lines.Bytes())
		require.NoError(tb, err)
		if string(line.name) == "tcp_v4_rcv" {
			need(tb, line.address != 0, "the addresses of kernel functions are hidden from this user")
			return line.address
		}
	}
	need(tb, false, "this kernel has no function tcp_v4_rcv")
	return 0
}

func TestSymbolsOfTheKernel(t *testing.T) {
	address := receiveAddress(t)
	s := NewSymbols()
	for _, offset := range []uint64{0, 5, 100} {
		name, err := s.Name(address + offset)
		require.NoError(t, err)
		assert.Equal(t, "tcp_v4_rcv", name)
	}
	name, err := s.Name(42)
	require.NoError(t, err)
	assert.Empty(t, name)
	noAllocations(t, func() {
		if name, err := s.Name(address + 5); name == "" || err != nil {
			t.Error(name, err)
		}
	})
}

func TestSymbolMemory(t *testing.T) {
	receiveAddress(t)
	inUse := func() uint64 {
		runtime.GC()
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		return stats.HeapAlloc
	}
	before := inUse()
	s := NewSymbols()
	_, err := s.Name(1)
	require.NoError(t, err)
	used := float64(inUse()-before) / float64(len(s.table.Load().symbols))
	runtime.KeepAlive(s)
	t.Logf("%d functions, %.1f bytes each", len(s.table.Load().symbols), used)
	assert.Less(t, used, 64.0, "bytes for each function")
}

func BenchmarkSymbolName(b *testing.B) {
	address := receiveAddress(b)
	s := NewSymbols()
	_, err := s.Name(address)
	require.NoError(b, err)
	symbols := s.table.Load().symbols
	b.ReportAllocs()
	for i := range b.N {
		_, _ = s.Name(symbols[i*7919%len(symbols)].address + 1)
	}
}

func BenchmarkSymbolLoad(b *testing.B) {
	receiveAddress(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := NewSymbols().load(); err != nil && !errors.Is(err, ErrSymbolsHidden) {
			b.Fatal(err)
		}
	}
}
