// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"cmp"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/collector/confmap"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/metadata"
)

// setting is what docs/settings.md says about a setting beside its default, which is read from the code.
type setting struct{ unit, meaning string }

const duration = "duration, such as 200ms"

// settings has every key of the configuration.
var settings = map[string]setting{
	"collection_interval": {duration, "How often the metrics are read from the kernel."},
	"initial_delay":       {duration, "How long after the start the metrics are read first."},
	"timeout":             {duration, "The most that one reading of the metrics may take; `0s` is no limit."},
	"error_mode":          {"", "What happens when a program that was asked for cannot be attached. `propagate`: the collector does not start, and says what to do. `ignore`: what can run runs; the rest is the component's status and an event `ebpf.program.state`."},
	"ring_buffer_size":    {"bytes, or KiB, MiB, GiB", "Size of the one ring buffer that events wait in until they are read. A power of two from `64KiB` to `1GiB`."},
	"btf_path":            {"", "A BTF file of the running kernel, for kernels without `/sys/kernel/btf/vmlinux`."},
	"histogram":           {"", "`explicit` or `exponential`: the kind of OTLP histogram that durations are published in."},

	"events::flush_interval":     {duration, "The longest that an event waits for its batch to fill, from `1ms` to `1m`."},
	"events::batch_size":         {"events", "The number of events at which a batch is sent without waiting, from 1 to 65536."},
	"events::body":               {"", "Whether log records have a body: one short line for people."},
	"events::<event>::enabled":   {"", "Whether the event is emitted."},
	"metrics::<metric>::enabled": {"", "Whether the metric is published."},

	"resource_attributes::<attribute>::enabled":         {"", "Whether the attribute is set on resources."},
	"resource_attributes::<attribute>::metrics_include": {"list of `strict: value` or `regexp: pattern`", "If not empty, the metrics of resources whose attribute has another value are left out."},
	"resource_attributes::<attribute>::metrics_exclude": {"list of `strict: value` or `regexp: pattern`", "The metrics of resources whose attribute has such a value are left out."},
	"resource_attributes::<attribute>::events_include":  {"list of `strict: value` or `regexp: pattern`", "If not empty, the events of resources whose attribute has another value are left out."},
	"resource_attributes::<attribute>::events_exclude":  {"list of `strict: value` or `regexp: pattern`", "The events of resources whose attribute has such a value are left out."},

	"exclude::self":        {"", "Leaves out the collector's own process, from events and metrics both, as all of `exclude` does."},
	"exclude::loopback":    {"", "Leaves out traffic from and to loopback addresses."},
	"exclude::cidrs":       {"list of networks or addresses", "Leaves out traffic from and to these, such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`."},
	"exclude::ports":       {"list of ports, 1 to 65535", "Leaves out traffic from and to these TCP and UDP ports."},
	"exclude::executables": {"list of names, at most 47 bytes each", "Leaves out what belongs to processes of these executables, by the base names of their files."},

	"programs::connection::events":              {"", "Whether connections are emitted as events; their metrics do not depend on it."},
	"programs::connection::event_limit":         {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::connection::protocols":           {"", "Which of `tcp`, `udp` and `unix` are reported. `unix` costs a syscall tracepoint, which slows down every syscall of the host."},
	"programs::file::events":                    {"", "Whether deletions and opens are emitted as events; their metrics do not depend on it."},
	"programs::file::event_limit":               {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::file::opens::paths":              {"list of absolute paths, at most 64 of 254 bytes each", "Below which paths, and of which files, opens are reported. None are without."},
	"programs::file::opens::write_only":         {"", "Whether only opens are reported that may change the file: for writing, or with `O_TRUNC`."},
	"programs::file_descriptor::events":         {"", "Whether leaks are emitted as events; the metrics do not depend on it."},
	"programs::file_descriptor::event_limit":    {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::file_descriptor::processes":      {"processes", "How many processes, those with the most descriptors, have series of their own, from 1 to 10000. What all others have is in the series with `otel.metric.overflow`. Leaks are looked for in all processes, or, where there are more than 16384, in those that were there first."},
	"programs::file_descriptor::leak_intervals": {"intervals", "In how many intervals of `collection_interval` the descriptors of a process and a kind grow, and fall in none meanwhile, until that is a leak, from 2 to 1000000."},
	"programs::file_descriptor::operations":     {"", "Whether it is counted how many descriptors are opened and closed, where the kernel lets functions be traced."},
	"programs::oom::events":                     {"", "Whether kills are emitted as events; their metric does not depend on it."},
	"programs::oom::event_limit":                {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::packet_drop::events":             {"", "Whether dropped packets are emitted as events; their metrics do not depend on it."},
	"programs::process::arguments":              {"", "Whether events have the arguments of what is executed. They may hold passwords and other secrets, and go wherever the events go."},
	"programs::process::events":                 {"", "Whether executions and ends are emitted as events; their metrics do not depend on it."},
	"programs::process::event_limit":            {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::runqueue::events":                {"", "Whether stalls are emitted as events; their metric does not depend on it."},
	"programs::runqueue::event_limit":           {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::runqueue::threshold":             {duration, "The longest wait for a CPU that is no stall, from `1µs` to `1h`."},
	"programs::tcp::events":                     {"", "Whether retransmits and resets are emitted as events; their metrics do not depend on it."},
	"programs::tcp::event_limit":                {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::tcp::rtt_interval":               {duration, "The least time between two looks at the round-trip time of a connection, from `1ms` to `1h`."},
	"programs::packet_drop::event_limit":        {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::syscall::events":                 {"", "Whether slow system calls are emitted as events; the metrics do not depend on it."},
	"programs::syscall::event_limit":            {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::syscall::syscalls":               {"list of names, as in `man 2 syscalls`", "Only these system calls are looked at, in metrics and events; all, if it is empty. What an architecture lacks is not seen there."},
	"programs::syscall::executables":            {"list of names, at most 47 bytes each", "Only processes of these executables are looked at, by the base names of their files; all, if it is empty."},
	"programs::syscall::containers":             {"list of at most 16 container ids, or their first 12 digits and more", "Only processes in these containers are looked at; all, if it is empty. One that starts later, or again, is looked at from its first system call on."},
	"programs::syscall::threshold":              {duration, "From which duration on a system call is an event, from `1µs` to `24h`."},
	"programs::syscall::waiting":                {"", "Whether system calls that wait by their nature are events, too, when they take long: for time, locks, processes and peers, as `nanosleep`, `futex`, `wait4`, `epoll_wait`, `recvfrom` and `io_uring_enter` do, and `read`, `write` and `ioctl` on anything but files, directories and disks."},
	"programs::packet::events":                  {"", "Whether sampled packets are emitted as events; their metrics do not depend on it."},
	"programs::packet::event_limit":             {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::packet::interfaces":              {"list of names or patterns", "The network interfaces, of the collector's network namespace, whose packets are counted, such as `[eth0, \"veth*\"]`; at least one. In patterns `*` is any text, `?` any character and `[a-c]` one of several. What is named has to be there; what matches a pattern may come later."},
	"programs::packet::sample_every":            {"packets", "One of so many packets becomes an event, picked at random; from 1 to 1000000000."},
	"programs::disk_io::events":                 {"", "Whether slow operations are emitted as events; the metrics do not depend on it."},
	"programs::disk_io::event_limit":            {"events per second", "The most events that are emitted; the rest is counted as lost by `rate_limit`. Metrics stay exact."},
	"programs::disk_io::threshold":              {duration, "The least time from issue to completion of an operation that is an event, from `1µs` to `1h`."},
}

// settingDefault is a key of the configuration with its default.
type settingDefault struct{ key, value string }

// settingDefaults returns all keys in the order of the configuration's fields. The switches of events, metrics and
// resource attributes, which are all alike, are given once, with a placeholder for the name.
func settingDefaults(t *testing.T) []settingDefault {
	t.Helper()
	var all []settingDefault
	add := func(key, value string) {
		for _, d := range all {
			if d.key == key {
				require.Equal(t, d.value, value, "docs/settings.md gives one default for all of %s", key)
				return
			}
		}
		all = append(all, settingDefault{key, value})
	}
	walkSettings("", reflect.ValueOf(createDefaultConfig()).Elem(), add)
	for _, definition := range programs {
		prefix := "programs" + confmap.KeyDelimiter + definition.Name + confmap.KeyDelimiter
		walkSettings(prefix, reflect.ValueOf(definition.DefaultConfig()).Elem(), add)
	}
	return all
}

func walkSettings(prefix string, v reflect.Value, add func(key, value string)) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		key, options, _ := strings.Cut(field.Tag.Get("mapstructure"), ",")
		switch {
		case !field.IsExported(), field.Type == reflect.TypeFor[Programs]():
		case options == "squash":
			walkSettings(prefix, v.Field(i), add)
		case field.Type.Kind() != reflect.Struct:
			add(prefix+key, defaultText(v.Field(i)))
		default:
			if field.Type.PkgPath() == reflect.TypeFor[metadata.EventConfig]().PkgPath() && prefix != "" {
				key = placeholder(prefix)
			}
			walkSettings(prefix+key+confmap.KeyDelimiter, v.Field(i), add)
		}
	}
}

// placeholder returns what stands for the name of a block in a block of generated names.
func placeholder(prefix string) string {
	return map[string]string{"events::": "<event>", "metrics::": "<metric>", "resource_attributes::": "<attribute>"}[prefix]
}

func defaultText(v reflect.Value) string {
	if text, ok := v.Interface().(fmt.Stringer); ok && v.Type() != reflect.TypeFor[time.Duration]() {
		return code(text.String())
	}
	switch v.Kind() {
	case reflect.Pointer:
		if v.IsNil() {
			return "no limit"
		}
		return defaultText(v.Elem())
	case reflect.Slice:
		items := make([]string, v.Len())
		for i := range items {
			items[i] = fmt.Sprint(v.Index(i))
		}
		return code("[" + strings.Join(items, ", ") + "]")
	default:
		return code(cmp.Or(fmt.Sprint(v), `""`))
	}
}

func code(text string) string { return "`" + text + "`" }
