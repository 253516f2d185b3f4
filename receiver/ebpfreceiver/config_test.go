// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"fmt"
	"math"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/component"
	"go.opentelemetry.io/collector/confmap"
	"go.opentelemetry.io/collector/confmap/confmaptest"
	"go.opentelemetry.io/collector/filter"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/connection"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packet"
	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/programs/packetdrop"
)

func TestConfig(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	limit := 5000

	minimal := createDefaultConfig().(*Config)
	minimal.Programs = Programs{"connection": {config: connection.Definition.DefaultConfig()}}

	full := createDefaultConfig().(*Config)
	full.CollectionInterval = 30 * time.Second
	full.InitialDelay = 2 * time.Second
	full.Timeout = 5 * time.Second
	full.ErrorMode = ErrorModeIgnore
	full.RingBufferSize = 512 << 10
	full.OverheadLimit = 0.02
	full.OverheadInterval = 2 * time.Second
	full.BTFPath = "/var/lib/btf/vmlinux"
	full.Histogram = HistogramExponential
	full.Events.FlushInterval = time.Second
	full.Events.BatchSize = 64
	full.Events.Body = false
	full.Exclude = FilterConfig{
		Loopback:    true,
		CIDRs:       []CIDR{"10.1.2.3/8", "192.0.2.1", "fd00::/8", "2001:db8::1", "::ffff:198.51.100.0/120", "::ffff:203.0.113.9"},
		Ports:       []Port{22, 65535, 22},
		Executables: []Executable{"curl", "node_exporter"},
	}
	full.Include = IncludeConfig{
		CIDRs:       []CIDR{"192.0.2.0/24"},
		Ports:       []Port{443},
		Executables: []Executable{"nginx"},
		Containers:  []program.ContainerID{"0123456789ab"},
		Units:       []Unit{"nginx.service", "user-1000.slice"},
	}
	full.Programs = Programs{
		"connection": {config: &connection.Config{
			CommonConfig: program.CommonConfig{Events: true, EventLimit: &limit},
			Protocols:    []connection.Protocol{connection.Unix},
		}},
		"packet_drop": {config: func() program.Config {
			c := packetdrop.Definition.DefaultConfig()
			c.Common().Events = false
			return c
		}()},
		"packet": {config: func() program.Config {
			c := packet.Definition.DefaultConfig().(*packet.Config)
			c.Interfaces, c.SampleEvery = []string{"eth0", "veth*"}, 100
			return c
		}()},
	}

	for id, want := range map[string]*Config{"ebpf": minimal, "ebpf/full": full} {
		t.Run(id, func(t *testing.T) {
			sub, err := conf.Sub(id)
			require.NoError(t, err)
			got, err := load(sub)
			require.NoError(t, err)
			require.NoError(t, confmap.Validate(got))

			if id == "ebpf/full" {
				// Not compared as a whole: mdatagen's types remember in unexported fields which switches the user set.
				assert.False(t, got.Events.EbpfConnectionAccept.Enabled)
				assert.True(t, got.Events.EbpfConnectionClose.Enabled)
				assert.False(t, got.Metrics.EbpfConnectionIo.Enabled)
				assert.True(t, got.Metrics.EbpfConnectionOpened.Enabled)
				assert.False(t, got.Metrics.EbpfConnectionDuration.Enabled)
				assert.True(t, got.Metrics.EbpfConnectionHandshakeDuration.Enabled)
				assert.False(t, got.ResourceAttributes.ProcessLinuxCgroup.Enabled)
				assert.Equal(t, []filter.Config{{Regex: "^a"}}, got.ResourceAttributes.K8sPodUID.EventsInclude)
				want.Events.EventsConfig = got.Events.EventsConfig
				want.Metrics = got.Metrics
				want.ResourceAttributes = got.ResourceAttributes
			}
			assert.Equal(t, want, got)
		})
	}
}

func TestConfigSurvivesMarshal(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("ebpf/full")
	require.NoError(t, err)
	want, err := load(sub)
	require.NoError(t, err)

	marshaled := confmap.New()
	require.NoError(t, marshaled.Marshal(want))
	assert.Equal(t, "512KiB", marshaled.Get("ring_buffer_size"))
	assert.Equal(t, 5000, marshaled.Get("programs::connection::event_limit"))
	got, err := load(marshaled)
	require.NoError(t, err)
	assert.Equal(t, want.Programs, got.Programs)
	assert.Equal(t, want.Exclude, got.Exclude)
	assert.Equal(t, want.RingBufferSize, got.RingBufferSize)
	assert.Equal(t, "2%", marshaled.Get("overhead_limit"))
	assert.InDelta(t, float64(want.OverheadLimit), float64(got.OverheadLimit), 1e-12)
}

func TestExcludeAccessors(t *testing.T) {
	conf, err := confmaptest.LoadConf("testdata/config.yaml")
	require.NoError(t, err)
	sub, err := conf.Sub("ebpf/full")
	require.NoError(t, err)
	c, err := load(sub)
	require.NoError(t, err)

	assert.Equal(t, []netip.Prefix{
		netip.MustParsePrefix("10.0.0.0/8"),
		netip.MustParsePrefix("192.0.2.1/32"),
		netip.MustParsePrefix("fd00::/8"),
		netip.MustParsePrefix("2001:db8::1/128"),
		netip.MustParsePrefix("198.51.100.0/24"),
		netip.MustParsePrefix("203.0.113.9/32"),
	}, c.Exclude.Prefixes())
	assert.Equal(t, []uint16{22, 65535, 22}, c.Exclude.PortNumbers())
	assert.Equal(t, []string{"curl", "node_exporter"}, c.Exclude.ExecutableNames())
	assert.Equal(t, uint32(512<<10), c.RingBufferSize.Bytes())
}

func TestSelectedPrograms(t *testing.T) {
	c := mustLoad(t, "programs: {packet_drop: , connection: {}}")
	var names []string
	for definition, config := range c.Programs.selected() {
		names = append(names, definition.Name)
		assert.Equal(t, definition.DefaultConfig(), config)
	}
	assert.Equal(t, []string{"connection", "packet_drop"}, names, "in the order of the list, not of the configuration")

	for definition := range mustLoad(t, "programs: {packet_drop: }").Programs.selected() {
		assert.Equal(t, "packet_drop", definition.Name)
	}
}

func TestBlocksWithoutValueKeepTheirDefaults(t *testing.T) {
	want := mustLoad(t, "programs: {connection: , packet_drop: }")
	got := mustLoad(t, "{events: , exclude: , metrics: , resource_attributes: , programs: {connection: {}, packet_drop: {}}}")
	assert.Equal(t, want, got)
	assert.True(t, got.Exclude.Self)
}

func TestProgramWithoutEventLimit(t *testing.T) {
	c := mustLoad(t, "programs: {connection: , packet_drop: }")
	assert.Nil(t, c.Programs["connection"].config.Common().EventLimit)
	require.NotNil(t, c.Programs["packet_drop"].config.Common().EventLimit)
	assert.Equal(t, 1000, *c.Programs["packet_drop"].config.Common().EventLimit)
}

// invalidConfigs are configurations that can be loaded but have an invalid value.
var invalidConfigs = []struct {
	name   string
	config string // beside a program, unless it has one
	want   string
}{
	{"no programs", "programs:", "programs: none is listed; list at least one of " + programNames()},
	{"no programs in the block", "programs: {}", "programs: none is listed; list at least one of " + programNames()},
	{"unknown program", "programs: {conection: }", "programs::conection: there is no such program; the programs are " + programNames()},
	{"unknown protocol", "programs: {connection: {protocols: [tcp, sctp]}}", `programs::connection: protocols::1: "sctp" is not one of tcp, udp, unix`},
	{"no protocol", "programs: {connection: {protocols: []}}", "programs::connection: protocols: none is listed; list at least one of tcp, udp, unix, or leave the key out for tcp and udp"},
	{"protocol twice", "programs: {connection: {protocols: [tcp, udp, tcp]}}", `programs::connection: protocols::2: "tcp" is listed twice`},
	{"event limit zero", "programs: {connection: {event_limit: 0}}", "programs::connection: " + eventLimitError(0)},
	{"rtt interval", "programs: {tcp: {rtt_interval: 2h}}", "programs::tcp: rtt_interval: 2h0m0s is not between 1ms and 1h0m0s; leave the key out for 100ms"},
	{"unknown system call", "programs: {syscall: {syscalls: [open, opnat]}}", "programs::syscall: syscalls::1: \"opnat\" is not a system call of Linux; the nearest is \"openat\", and `man 2 syscalls` lists all"},
	{"no interface", "programs: {packet: }", `programs::packet: interfaces: none is listed; list the network interfaces whose packets are to be counted, by name or pattern, such as [eth0, "veth*"]`},
	{"interface pattern", `programs: {packet: {interfaces: [lo, "eth[0-"]}}`, `programs::packet: interfaces::1: "eth[0-" is not a pattern; close each [ with a ], as in "eth[0-3]"`},
	{"interface name", "programs: {packet: {interfaces: [eth0/1]}}", `programs::packet: interfaces::0: "eth0/1" is not a name of a network interface; write one of 1 to 15 bytes without blanks, / and :, as ip link lists them`},
	{"sample every none", "programs: {packet: {interfaces: [eth0], sample_every: 0}}", "programs::packet: sample_every: 0 is not a number of packets from 1 to 1000000000; leave the key out for 1000, or set events: false for no samples"},
	{"opened path", "programs: {file: {opens: {paths: [etc]}}}", `programs::file: opens::paths::0: "etc" is not absolute; begin it with a slash`},
	{"threshold", "programs: {disk_io: {threshold: 0s}}", "programs::disk_io: threshold: 0s is not between 1µs and 1h0m0s; leave the key out for 100ms, or set events: false for no events"},
	{"event limit negative", "programs: {packet_drop: {event_limit: -1}}", "programs::packet_drop: " + eventLimitError(-1)},
	{"error mode", "error_mode: silent", `error_mode: "silent" is neither propagate nor ignore`},
	{"error mode empty", `error_mode: ""`, `error_mode: "" is neither propagate nor ignore`},
	{"histogram", "histogram: linear", `histogram: "linear" is neither explicit nor exponential`},
	{"ring size no power of two", "ring_buffer_size: 3MiB", "ring_buffer_size: 3MiB is not a power of two; the nearest ones are 2MiB and 4MiB"},
	{"ring size in odd bytes", "ring_buffer_size: 100001", "ring_buffer_size: 100001 is not a power of two; the nearest ones are 64KiB and 128KiB"},
	{"ring size too small", "ring_buffer_size: 4KiB", "ring_buffer_size: 4KiB is too small; the least is 64KiB"},
	{"ring size zero", "ring_buffer_size: 0", "ring_buffer_size: 0 is too small; the least is 64KiB"},
	{"ring size negative", "ring_buffer_size: -1", "ring_buffer_size: -1 is too small; the least is 64KiB"},
	{"ring size too large", "ring_buffer_size: 2GiB", "ring_buffer_size: 2GiB is too large; the most is 1GiB"},
	{"ring size absurd", "ring_buffer_size: 1000000GiB", "ring_buffer_size: 1000000GiB is too large; the most is 1GiB"},
	{"overhead negative", "overhead_limit: -2%", "overhead_limit: -2% is not a positive share; write a share of one CPU, such as 2%, or 0 for no limit"},
	{"overhead too small", "overhead_limit: 0.00001", "overhead_limit: 0.001% is too small to be measured; the least is 0.1%, and 0 is no limit"},
	{"overhead of all CPUs", "overhead_limit: 1000000%", fmt.Sprintf(
		"overhead_limit: 1000000%% is more than the %d CPUs of this host; write a share of one CPU, such as 2%%, or 0 for no limit", runtime.NumCPU())},
	{"overhead interval", "overhead_interval: 1ms", "overhead_interval: 1ms is out of range; write a duration from 50ms to 1m0s, with the unit"},
	{"collection interval", "collection_interval: 0s", `controllerconfig: "collection_interval": requires positive value`},
	{"timeout", "timeout: -1s", `controllerconfig: "timeout": requires positive value`},
	{"flush interval zero", "events: {flush_interval: 0s}", "events: flush_interval: 0s is out of range; write a duration from 1ms to 1m0s, with the unit"},
	{"flush interval too long", "events: {flush_interval: 61s}", "events: flush_interval: 1m1s is out of range; write a duration from 1ms to 1m0s, with the unit"},
	{"batch size zero", "events: {batch_size: 0}", "events::batch_size: 0 is out of range; a batch has 1 to 65536 events"},
	{"batch size too large", "events: {batch_size: 65537}", "events::batch_size: 65537 is out of range; a batch has 1 to 65536 events"},
	{"CIDR", "exclude: {cidrs: [10.0.0.0/8, 10.0.0.0/33]}", `exclude::cidrs::1: "10.0.0.0/33" is not a network such as 10.0.0.0/8 or fd00::/8`},
	{"CIDR of a name", "exclude: {cidrs: [localhost]}", `exclude::cidrs::0: "localhost" is neither a network such as 10.0.0.0/8 or fd00::/8 nor an address`},
	{"address with zone", `exclude: {cidrs: ["fe80::1%eth0"]}`, `exclude::cidrs::0: "fe80::1%eth0" is neither a network such as 10.0.0.0/8 or fd00::/8 nor an address`},
	{"CIDR empty", `exclude: {cidrs: [""]}`, `exclude::cidrs::0: "" is neither a network such as 10.0.0.0/8 or fd00::/8 nor an address`},
	{"included CIDR", "include: {cidrs: [localhost]}", `include::cidrs::0: "localhost" is neither a network such as 10.0.0.0/8 or fd00::/8 nor an address`},
	{"included container", "include: {containers: [web]}", `include::containers::0: "web" is not the id of a container; write it, or at least its first 12 hexadecimal digits, as container.id has it`},
	{"included unit", "include: {units: [nginx]}", `include::units::0: "nginx" is not the name of a unit; write it with its suffix, as in nginx.service, session-1.scope or user-1000.slice`},
	{"units by pattern", "include: {units: ['*.service']}", `include::units::0: "*.service" is not the name of a unit; write it with its suffix, as in nginx.service, session-1.scope or user-1000.slice`},
	{"both of self", "include: {self: true}", "include::self: the collector's own process is excluded by default, and `exclude` wins; set exclude::self to false"},
	{"both of loopback", "include: {loopback: true}\nexclude: {loopback: true}", "include::loopback: loopback traffic is excluded, too, and `exclude` wins; take it out of one of them"},
	{"both of a network", "include: {cidrs: [fd00::1, 10.0.0.0/8]}\nexclude: {cidrs: [10.0.0.0/8]}", "include::cidrs::1: 10.0.0.0/8 is excluded, too, and `exclude` wins; take it out of one of them"},
	{"both of a port", "include: {ports: [22]}\nexclude: {ports: [22]}", "include::ports::0: 22 is excluded, too, and `exclude` wins; take it out of one of them"},
	{"both of an executable", "include: {executables: [curl]}\nexclude: {executables: [curl]}", "include::executables::0: curl is excluded, too, and `exclude` wins; take it out of one of them"},
	{"port zero", "exclude: {ports: [0]}", "exclude::ports::0: 0 is not a port; ports are 1 to 65535"},
	{"port too large", "exclude: {ports: [22, 65536]}", "exclude::ports::1: 65536 is not a port; ports are 1 to 65535"},
	{"executable empty", `exclude: {executables: [""]}`, "exclude::executables::0: the name is empty; write the base name of an executable, such as curl"},
	{"executable pattern", "exclude: {executables: ['kube*']}", `exclude::executables::0: "kube*" is a pattern; write the base name of each executable, such as "nginx"`},
	{"executable path", "exclude: {executables: [/usr/bin/ssh]}", `exclude::executables::0: "/usr/bin/ssh" is a path; write the base name of the executable, such as "ssh"`},
	{
		"executable too long", "exclude: {executables: [" + strings.Repeat("x", 48) + "]}",
		`exclude::executables::0: "` + strings.Repeat("x", 48) + `" has 48 bytes; the first 47 are compared, so write those`,
	},
	{
		"attribute of another metric", "metrics: {ebpf.connection.failed: {attributes: [error.type, ebpf.connection.role]}}",
		`metrics: ebpf.connection.failed::attributes: the metric has no attribute "ebpf.connection.role"; its attributes are ` +
			"network.transport, network.type, error.type, ebpf.connection.cause, server.address, server.port, otel.metric.overflow",
	},
	{
		"attribute of another histogram", "metrics: {ebpf.tcp.rtt: {attributes: [system.device]}}",
		`metrics: ebpf.tcp.rtt::attributes: the metric has no attribute "system.device"; its attributes are network.transport, network.type, ebpf.connection.role, otel.metric.overflow`,
	},
	{
		"resource attribute filter", "resource_attributes: {container.id: {events_include: [{regexp: '['}]}}",
		"resource_attributes::container.id::events_include::0: error parsing regexp: missing closing ]: `[`",
	},
}

// Validate reports invalid values with the path of their keys.
func TestConfigInvalid(t *testing.T) {
	for _, tt := range invalidConfigs {
		t.Run(tt.name, func(t *testing.T) {
			require.EqualError(t, confmap.Validate(mustLoad(t, withProgram(tt.config))), tt.want)
		})
	}
}

const blockHint = " is not a block of settings; write keys with their values below it, or nothing for the defaults"

// unreadableConfigs are configurations that cannot be loaded.
var unreadableConfigs = []struct {
	name   string
	config string
	want   []string
}{
	{"unknown key", "ring_size: 1", []string{
		"ring_size: unknown key; the keys here are btf_path, collection_interval, error_mode, events, exclude, histogram, include, " +
			"initial_delay, metrics, overhead_interval, overhead_limit, programs, resource_attributes, retry_on_failure, ring_buffer_size, timeout",
	}},
	{"unknown key of exclude", "exclude: {port: [1]}", []string{
		"exclude::port: unknown key; the keys here are cidrs, executables, loopback, ports, self",
	}},
	{"unknown event", "events: {ebpf.packet.drops: {enabled: false}}", []string{
		"events::ebpf.packet.drops: unknown key; the keys here are batch_size, body, ebpf.connection.accept, ",
		", ebpf.packet.drop, ", ", ebpf.program.state, ", ", flush_interval",
	}},
	{"unknown key of a metric", "metrics: {ebpf.connection.duration: {enable: false}}", []string{
		"metrics::ebpf.connection.duration::enable: unknown key; the keys here are attributes, enabled",
	}},
	{"unknown key of a program", "programs: {connection: {protocol: [tcp]}}", []string{
		"connection: protocol: unknown key; the keys here are event_limit, events, merge_within, protocols",
	}},
	{"several unknown keys", "{foo: 1, exclude: {bar: 1}, histogram: 5}", []string{
		"exclude::bar: unknown key", "foo: unknown key", `histogram: 5 is not a text; write it in quotes: "5"`,
	}},
	{"list of programs", "programs: [connection]", []string{"programs: [connection]" + blockHint}},
	{"program with a scalar", "programs: {connection: false}", []string{
		"connection: false is not a block of settings; write connection: with nothing behind it to run the program, and leave it out for it not to run",
	}},
	{"program that is not enabled", "programs: {connection: {enabled: false}}", []string{
		"connection: enabled: a program runs when its key is there; leave connection out for it not to run",
	}},
	{"duration without a unit", "programs: {syscall: {threshold: 100}}", []string{
		"syscall: threshold: 100 has no unit; write a duration such as 100ms or 100s",
	}},
	{"flush interval without a unit", "events: {flush_interval: 200}", []string{
		"events::flush_interval: 200 has no unit; write a duration such as 200ms or 200s",
	}},
	{"collection interval without a unit", "collection_interval: 10", []string{"collection_interval: 10 has no unit"}},
	{"timeout without a unit", "timeout: 5", []string{"timeout: 5 has no unit"}},
	{"number with a unit", "programs: {packet_drop: {event_limit: 100/s}}", []string{`packet_drop: event_limit: "100/s" is not a whole number`}},
	{"fraction", "programs: {packet_drop: {event_limit: 1.5}}", []string{"packet_drop: event_limit: 1.5 is not a whole number"}},
	{"fraction below one", "programs: {packet_drop: {event_limit: 0.9}}", []string{"packet_drop: event_limit: 0.9 is not a whole number"}},
	{"huge number", "programs: {packet_drop: {event_limit: 99999999999999999999}}", []string{
		"packet_drop: event_limit: 100000000000000000000 is too large",
	}},
	{"yes", "exclude: {self: 'yes'}", []string{`exclude::self: "yes" is neither true nor false`}},
	{"range of ports", "exclude: {ports: ['8000-9000']}", []string{`exclude::ports: "8000-9000" is not a whole number`}},
	{"list for a value", "exclude: {self: [true]}", []string{"exclude::self: [true] is a list; write one value"}},
	{"block for a list", "programs: {connection: {protocols: {tcp: true}}}", []string{
		"connection: ", "protocols: a block of settings is here; write a list of values",
	}},
	{"block for a value", "histogram: {}", []string{"histogram: a block of settings is here; write one value"}},
	{"container id without quotes", "programs: {syscall: {containers: [123456789012]}}", []string{
		`syscall: `, `containers: 123456789012 is not a text; write it in quotes: "123456789012"`,
	}},
	{"exclude with a scalar", "exclude: self", []string{"exclude: self" + blockHint}},
	{"ring size unit", "ring_buffer_size: 8MB", []string{
		`'ring_buffer_size' "8MB" is not a size: write a number of bytes, or one with KiB, MiB or GiB, such as 8MiB`,
	}},
	{"overhead with a space", "overhead_limit: 2 %", []string{
		`'overhead_limit' "2 %" is not a share of one CPU: write a percentage without a space, such as 2%, or a fraction, such as 0.02; 0 is no limit`,
	}},
	{"overhead text", "overhead_limit: little", []string{`'overhead_limit' "little" is not a share of one CPU`}},
	{"overhead without a number", `overhead_limit: "%"`, []string{`'overhead_limit' "%" is not a share of one CPU`}},
	{"ring size text", "ring_buffer_size: large", []string{`'ring_buffer_size' "large" is not a size`}},
	{"ring size fraction", "ring_buffer_size: 0.5MiB", []string{`'ring_buffer_size' "0.5MiB" is not a size`}},
	{"duration", "events: {flush_interval: 200 ms}\ncollection_interval: fast", []string{
		`collection_interval: "fast" is not a duration; write a number with its unit, such as 200ms or 10s`,
		`events::flush_interval: "200 ms" is not a duration`,
	}},
	{"port by name", "exclude: {ports: [ssh]}", []string{`exclude::ports: "ssh" is not a whole number`}},
	{"event limit text", "programs: {packet_drop: {event_limit: many}}", []string{`packet_drop: event_limit: "many" is not a whole number`}},
}

// withProgram adds a program to a configuration without one.
func withProgram(config string) string {
	if strings.HasPrefix(config, "programs") {
		return config
	}
	return config + "\nprograms: {connection: }"
}

// Errors of a configuration that cannot be loaded are reported at loading.
func TestConfigUnreadable(t *testing.T) {
	for _, tt := range unreadableConfigs {
		t.Run(tt.name, func(t *testing.T) {
			conf, err := parse(tt.config)
			require.NoError(t, err)
			_, err = load(conf)
			for _, want := range tt.want {
				require.ErrorContains(t, err, want)
			}
			assert.NotContains(t, err.Error(), "invalid keys", "an unknown key is reported once, with the known ones")
		})
	}
}

// A single value where a list is expected is a list of one.
func TestConfigListsOfOne(t *testing.T) {
	c := mustLoad(t, `
exclude: {cidrs: 10.0.0.0/8, ports: 22, executables: curl}
programs: {connection: {protocols: tcp}, syscall: {containers: "123456789012"}}
`)
	require.NoError(t, confmap.Validate(c))
	assert.Len(t, c.Exclude.Prefixes(), 1)
	assert.Equal(t, []uint16{22}, c.Exclude.PortNumbers())
	assert.Len(t, c.Exclude.ExecutableNames(), 1)
	want := mustLoad(t, `
exclude: {cidrs: [10.0.0.0/8], ports: [22], executables: [curl]}
programs: {connection: {protocols: [tcp]}, syscall: {containers: ["123456789012"]}}
`)
	assert.Equal(t, want, c)
}

// A key with nothing behind it, as a template may leave it, is one that is not there.
func TestConfigKeysWithoutValues(t *testing.T) {
	c := mustLoad(t, `
collection_interval:
error_mode:
ring_buffer_size:
histogram:
events: {flush_interval: , batch_size: , body: }
exclude: {self: , ports: }
programs: {connection: {protocols: , event_limit: }}
`)
	require.NoError(t, confmap.Validate(c))
	assert.Equal(t, mustLoad(t, "programs: {connection: }"), c)
	for _, d := range programs {
		keys := map[string]any{}
		for key := range d.Settings {
			keys["programs::"+d.Name+"::"+key] = nil
		}
		for key := range program.CommonSettings {
			keys["programs::"+d.Name+"::"+key] = nil
		}
		c, err := load(confmap.NewFromStringMap(keys))
		require.NoError(t, err, d.Name)
		assert.Equal(t, mustLoad(t, fmt.Sprintf("programs: {%s: }", d.Name)), c, d.Name)
	}
}

func TestConfigReportsAllErrorsAtOnce(t *testing.T) {
	c := mustLoad(t, `
collection_interval: 0s
error_mode: silent
ring_buffer_size: 3MiB
histogram: linear
events: {flush_interval: 0s, batch_size: 0}
exclude: {cidrs: [a, b], ports: [0], executables: [""]}
programs:
  conection:
  connection: {protocols: [sctp, tcp, tcp], event_limit: 0}
  packet_drop: {event_limit: -1}
`)
	var keys []string
	for line := range strings.Lines(confmap.Validate(map[string]any{"ebpf": c}).Error()) {
		key, _, ok := strings.Cut(line, ": ")
		require.True(t, ok, line)
		keys = append(keys, key)
	}
	assert.ElementsMatch(t, []string{
		"ebpf::controllerconfig", "ebpf::error_mode", "ebpf::ring_buffer_size", "ebpf::histogram",
		"ebpf::events", "ebpf::events::batch_size",
		"ebpf::exclude::cidrs::0", "ebpf::exclude::cidrs::1", "ebpf::exclude::ports::0", "ebpf::exclude::executables::0",
		"ebpf::programs::conection", "ebpf::programs::packet_drop",
		"ebpf::programs::connection", "protocols::0", "protocols::2", // the faults of one program's block stand together
	}, keys)
}

func TestOverheadLimit(t *testing.T) {
	for text, want := range map[string]OverheadLimit{
		"2%": 0.02, "0.5%": 0.005, "0.02": 0.02, "1": 1, "0": 0, "0%": 0, `"0.1"`: 0.1, "100%": 1,
	} {
		c := mustLoad(t, "programs: {connection: }\noverhead_limit: "+text)
		assert.InDelta(t, float64(want), float64(c.OverheadLimit), 1e-12, text)
	}
	for limit, want := range map[OverheadLimit]string{0: "0", 0.02: "2%", 0.005: "0.5%", 1: "100%", 0.07: "7%"} {
		assert.Equal(t, want, limit.String())
		var back OverheadLimit
		require.NoError(t, back.UnmarshalText([]byte(want)))
		assert.InDelta(t, float64(limit), float64(back), 1e-12)
	}
	require.ErrorContains(t, OverheadLimit(math.NaN()).Validate(), "is not a positive share")
}

func TestRingBufferSize(t *testing.T) {
	for text, want := range map[string]RingBufferSize{
		"65536": 64 << 10, "64KiB": 64 << 10, "512 KiB": 512 << 10, "8MiB": 8 << 20, "1GiB": 1 << 30,
	} {
		c := mustLoad(t, "programs: {connection: }\nring_buffer_size: "+text)
		assert.Equal(t, want, c.RingBufferSize, text)
		require.NoError(t, confmap.Validate(c), text)
	}
	for size, want := range map[RingBufferSize]string{
		0: "0", 1: "1", 1 << 10: "1KiB", 1025: "1025", 1536 << 10: "1536KiB", 8 << 20: "8MiB", 1 << 30: "1GiB",
	} {
		assert.Equal(t, want, size.String())
		var back RingBufferSize
		require.NoError(t, back.UnmarshalText([]byte(want)))
		assert.Equal(t, size, back)
	}
}

func TestProgramsAreListedOnce(t *testing.T) {
	// Settings without a default, which only the user can know.
	required := map[string]string{"packet": "interfaces: none is listed"}
	var names []string
	for _, definition := range programs {
		_, err := component.NewType(definition.Name)
		require.NoError(t, err, "the name is a configuration key")
		names = append(names, definition.Name)
		if want := required[definition.Name]; want != "" {
			require.ErrorContains(t, definition.DefaultConfig().Validate(), want)
		} else {
			require.NoError(t, definition.DefaultConfig().Validate())
		}
		one, other := definition.DefaultConfig(), definition.DefaultConfig()
		assert.NotSame(t, one, other)
	}
	assert.Len(t, slices.Compact(slices.Sorted(slices.Values(names))), len(programs))
}

func eventLimitError(limit int) string {
	return (&program.CommonConfig{EventLimit: &limit}).Validate().Error()
}

func parse(yaml string) (*confmap.Conf, error) {
	retrieved, err := confmap.NewRetrievedFromYAML([]byte(yaml))
	if err != nil {
		return nil, err
	}
	return retrieved.AsConf()
}

// load reads a configuration as the collector does.
func load(conf *confmap.Conf) (*Config, error) {
	config := createDefaultConfig()
	err := conf.Unmarshal(&config)
	return config.(*Config), err
}

func mustLoad(t *testing.T, yaml string) *Config {
	t.Helper()
	conf, err := parse(yaml)
	require.NoError(t, err)
	config, err := load(conf)
	require.NoError(t, err)
	return config
}

// A metric keeps the listed attributes, or all if there is no list.
func TestMetricAttributes(t *testing.T) {
	for config, want := range map[string]map[string]metadata.MetricAttributes{
		"": {},
		"metrics: {ebpf.connection.failed: {enabled: true}, ebpf.tcp.rtt: {attributes: }}":                                                            {},
		"metrics: {ebpf.connection.failed: {attributes: [error.type, ebpf.connection.cause, otel.metric.overflow, network.type, network.transport]}}": {},
		"metrics: {ebpf.connection.failed: {attributes: [error.type]}, ebpf.tcp.rtt: {attributes: []}, ebpf.oom.kills: {enabled: false}}": {
			"ebpf.connection.failed": {"error.type"}, "ebpf.tcp.rtt": {},
		},
	} {
		c := mustLoad(t, withProgram(config))
		require.NoError(t, confmap.Validate(c))
		assert.Equal(t, want, c.Metrics.Kept(), config)
		assert.True(t, c.Metrics.EbpfConnectionFailed.Enabled)
	}
}

// Only metrics of connections have series per server on request. Metrics of listeners have their addresses by default, and lose them only
// if their own list leaves them out. That does not make the kernel count by server.
func TestMetricAttributesOfServers(t *testing.T) {
	listener := metadata.MetricAttributes{"network.type", "server.port"}
	for _, tt := range []struct {
		config string
		byPeer bool
		kept   map[string]metadata.MetricAttributes
	}{
		{"{ebpf.tcp.resets: {attributes: [server.address]}}", true, map[string]metadata.MetricAttributes{
			"ebpf.tcp.resets": {"server.address"}, "ebpf.listener.backlog": nil, "ebpf.listener.limit": nil, "ebpf.listener.overflows": nil,
			"ebpf.connection.failed": {"network.transport", "network.type", "error.type", "ebpf.connection.cause", "otel.metric.overflow"},
		}},
		{"{ebpf.listener.backlog: {attributes: [network.type, server.port]}}", false, map[string]metadata.MetricAttributes{
			"ebpf.listener.backlog": listener, "ebpf.listener.limit": nil, "ebpf.connection.failed": nil,
		}},
		{
			"{ebpf.listener.backlog: {attributes: [network.type, server.port]}, ebpf.tcp.resets: {enabled: false, attributes: [server.port]}}",
			false,
			map[string]metadata.MetricAttributes{"ebpf.listener.backlog": listener, "ebpf.connection.failed": nil},
		},
	} {
		c := mustLoad(t, withProgram("metrics: "+tt.config))
		require.NoError(t, confmap.Validate(c))
		assert.Equal(t, tt.byPeer, c.Metrics.ByPeer(), tt.config)
		kept := c.Metrics.Kept()
		for metric, attributes := range tt.kept {
			assert.Equal(t, attributes, kept[metric], "%s: %s", tt.config, metric)
		}
	}
}
