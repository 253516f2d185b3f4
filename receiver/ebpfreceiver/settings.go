// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package ebpfreceiver

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/otelcol-ebpf/otelcol-ebpf/receiver/ebpfreceiver/internal/program"
)

// settings document the keys of the receiver, except those of programs, which are in the Definitions. Blocks of events, metrics and
// resource attributes are alike, so each is documented once, with a placeholder for the name.
var settings = map[string]program.Setting{
	"collection_interval": {
		Unit:    program.UnitDuration,
		Meaning: "How often the metrics are read from the kernel.",
		Schema:  notZero,
	},
	"initial_delay": {
		Unit:    program.UnitDuration,
		Meaning: "How long after the start the metrics are read first.",
	},
	"timeout": {
		Unit:    program.UnitDuration,
		Meaning: "The most that one reading of the metrics may take; `0s` is no limit.",
	},
	"error_mode": {
		Meaning: "What happens if a program cannot be attached. `propagate`: the collector does not start; the error says what to do. `ignore`: the other programs run, and the failure is in the component's status and in an event `ebpf.program.state`.",
		Schema:  program.Schema{"enum": program.Strings(ErrorModePropagate, ErrorModeIgnore)},
	},
	"ring_buffer_size": {
		Unit:    "bytes, or KiB, MiB, GiB",
		Meaning: fmt.Sprintf("Size of the ring buffer that holds the events of all programs until they are read. A power of two from `%s` to `%s`.", minRingBufferSize, maxRingBufferSize),
		Schema:  ringBufferSizeSchema(),
	},
	"overhead_limit": {
		Unit:    "share of one CPU, such as `2%` or `0.02`",
		Meaning: "The most that the programs, and the collector's work on their events, may cost. Above it the receiver steps down: it switches off events of the most expensive program, then lets it run for a tenth of the time, then detaches it; and steps up again when it costs less than half. `0` is no limit; nothing is measured then.",
		Schema: program.Schema{"anyOf": []any{
			program.Schema{"type": "number", "minimum": 0},
			program.Schema{"type": "string", "pattern": `^[0-9]*\.?[0-9]+%?$`},
		}},
	},
	"overhead_interval": {
		Unit: program.UnitDuration, Range: program.Range[time.Duration]{Least: minOverheadInterval, Most: maxOverheadInterval},
		Meaning: "How often the cost is measured if there is an `overhead_limit`. The programs are timed for a tenth of each interval.",
	},
	"btf_path": {
		Meaning: "A BTF file of the running kernel, for kernels without `/sys/kernel/btf/vmlinux`.",
	},
	"histogram": {
		Meaning: "`explicit` or `exponential`: the kind of OTLP histogram for durations. Use `explicit` with the Prometheus exporter: it keeps only the sum and the count of an exponential histogram.",
		Schema:  program.Schema{"enum": program.Strings(HistogramExplicit, HistogramExponential)},
	},

	"retry_on_failure::enabled": {
		Meaning: "Whether a batch of events that the next consumer refuses is offered again. New events wait meanwhile, and other pipelines and exporters that have accepted the batch get it again, so prefer a `sending_queue` at the exporter. Batches that are given up are counted as `refused`.",
	},
	"retry_on_failure::initial_interval": {
		Unit:    program.UnitDuration,
		Meaning: "How long a refused batch waits before it is offered again the first time.",
	},
	"retry_on_failure::max_interval": {
		Unit:    program.UnitDuration,
		Meaning: "The longest wait between two attempts.",
	},
	"retry_on_failure::max_elapsed_time": {
		Unit:    program.UnitDuration,
		Meaning: "How long a batch is offered before it is given up. `0s` is no limit.",
	},
	"retry_on_failure::multiplier": {
		Meaning: "The factor by which each wait is longer than the one before.",
		Schema:  program.Schema{"minimum": 0},
	},
	"retry_on_failure::randomization_factor": {
		Meaning: "The share by which waits vary at random.",
		Schema:  program.Schema{"minimum": 0, "maximum": 1},
	},

	"events::flush_interval": {
		Unit: program.UnitDuration, Range: program.Range[time.Duration]{Least: minInterval, Most: maxFlushInterval},
		Meaning: "The longest that an event waits for its batch to fill.",
	},
	"events::batch_size": {
		Unit: "events", Range: program.Range[int]{Least: 1, Most: maxBatchSize},
		Meaning: "The number of events at which a batch is sent without waiting.",
	},
	"events::body": {
		Meaning: "Whether log records have a body, one line for people.",
	},
	"events::<event>::enabled": {
		Meaning: "Whether the event is emitted.",
	},
	"metrics::<metric>::enabled": {
		Meaning: "Whether the metric is published.",
	},
	"metrics::<metric>::attributes": {
		Unit:    "list of the metric's attributes",
		Meaning: "The attributes that the metric's series keep, by default all except the opt-in ones: `server.address` and `server.port` of connections, `dns.question.name` of look-ups. Series that become equal are added up; with `[]` one is left per resource.",
	},

	"resource_attributes::<attribute>::enabled": {
		Meaning: "Whether the attribute is set on resources.",
	},
	"resource_attributes::<attribute>::metrics_include": {
		Unit:    unitFilters,
		Meaning: "If not empty, the metrics of resources whose attribute has another value are left out.",
	},
	"resource_attributes::<attribute>::metrics_exclude": {
		Unit:    unitFilters,
		Meaning: "The metrics of resources whose attribute has such a value are left out.",
	},
	"resource_attributes::<attribute>::events_include": {
		Unit:    unitFilters,
		Meaning: "If not empty, the events of resources whose attribute has another value are left out.",
	},
	"resource_attributes::<attribute>::events_exclude": {
		Unit:    unitFilters,
		Meaning: "The events of resources whose attribute has such a value are left out.",
	},

	"include::self": {
		Meaning: "Keeps only the collector's own process, if `exclude::self` is false. All keys of `include` that are set must match. `exclude` takes precedence.",
	},
	"include::loopback": {
		Meaning: "Keeps only traffic from and to loopback addresses.",
	},
	"include::cidrs": {
		Unit:    "list of networks or addresses",
		Meaning: "Keeps only traffic from or to one of these.",
		Schema:  cidrsSchema,
	},
	"include::ports": {
		Unit:    "list of ports, 1 to 65535",
		Meaning: "Keeps only traffic from or to one of these TCP and UDP ports.",
		Schema:  portsSchema,
	},
	"include::executables": {
		Unit:    "list of names, at most 47 bytes each",
		Meaning: "Keeps only what belongs to processes of these executables, by the base names of their files.",
		Schema:  program.Schema{"items": program.ExecutableSchema},
	},
	"include::containers": {
		Unit:    fmt.Sprintf("list of container ids, or their first %d digits and more", program.MinContainerID),
		Meaning: "Keeps only what belongs to one of these containers, or to one of `units`.",
		Schema:  program.Schema{"items": program.ContainerIDSchema},
	},
	"include::units": {
		Unit:    "list of names, with `.service`, `.scope` or `.slice`",
		Meaning: "Keeps only what belongs to one of these systemd units, or to one of `containers`. Containers that a unit starts do not belong to it.",
		Schema:  program.Schema{"items": program.Schema{"pattern": `^[^/*?[]+\.(service|scope|slice)$`}},
	},

	"exclude::self": {
		Meaning: "Leaves out the collector's own process. Like all keys of `exclude`, it applies to events and metrics.",
	},
	"exclude::loopback": {
		Meaning: "Leaves out traffic from and to loopback addresses.",
	},
	"exclude::cidrs": {
		Unit:    "list of networks or addresses",
		Meaning: "Leaves out traffic from and to these, such as `10.0.0.0/8`, `fd00::/8` or `192.0.2.1`.",
		Schema:  cidrsSchema,
	},
	"exclude::ports": {
		Unit:    "list of ports, 1 to 65535",
		Meaning: "Leaves out traffic from and to these TCP and UDP ports.",
		Schema:  portsSchema,
	},
	"exclude::executables": {
		Unit:    "list of names, at most 47 bytes each",
		Meaning: "Leaves out what belongs to processes of these executables, by the base names of their files.",
		Schema:  program.Schema{"items": program.ExecutableSchema},
	},
}

var (
	cidrsSchema = program.Schema{"items": program.Schema{
		"pattern": `^([0-9]{1,3}(\.[0-9]{1,3}){3}(/(3[0-2]|[12]?[0-9]))?|[0-9a-fA-F]*:[0-9a-fA-F:.]*(/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))?)$`,
	}}
	portsSchema = program.Schema{"items": program.Schema{"minimum": 1, "maximum": math.MaxUint16}}
)

const unitFilters = "list of `strict: value` or `regexp: pattern`"

// notZero is what a JSON Schema says of a duration that has to be positive.
var notZero = program.Range[time.Duration]{Least: 1}.Schema()

// ringBufferSizeSchema lists the powers of two, in all their units.
func ringBufferSizeSchema() program.Schema {
	var (
		numbers []any
		texts   []string
	)
	for size := minRingBufferSize; size <= maxRingBufferSize; size *= 2 {
		numbers = append(numbers, int64(size))
		texts = append(texts, strconv.FormatInt(int64(size), 10))
		for _, unit := range sizeUnits {
			if size%unit.bytes == 0 {
				texts = append(texts, fmt.Sprintf("%d *%s", size/unit.bytes, unit.name))
			}
		}
	}
	return program.Schema{"anyOf": []any{
		program.Schema{"type": "integer", "enum": numbers},
		program.Schema{"type": "string", "pattern": "^(" + strings.Join(texts, "|") + ")$"},
	}}
}
