// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

const (
	lost     = "ebpf_event_lost_total"
	state    = "ebpf_program_state"
	overhead = "ebpf_overhead_ratio"
	runTime  = "ebpf_program_run_time_seconds_total"
	measured = "It has data while the kernel measures: sysctl kernel.bpf_stats_enabled=1, which costs some 20 ns per run."
	byExport = "instance, exporter"
)

var receiver = page{
	title:       "The receiver",
	description: "Whether what the other dashboards show is complete, and what it costs. Prometheus has to scrape the collector's own metrics, too (port 8888).",
	rows: []row{
		{"Now", []panel{
			number{
				"Programs that run", units.Short, "Programs that are attached to the kernel, on all hosts.", "sum(" + of(state, `ebpf_program_state=~"attached|events_off|sampled"`) + ")", 0, 0,
			},
			number{
				"Programs that do not", units.Short, "Their metrics and events are missing. The table below names them, and the collector's log says why.",
				orZero("sum(" + of(state, `ebpf_program_state!~"attached|events_off|sampled"`) + ")"), 1, 1,
			},
			number{
				"Delivered", units.EventsPerSecond, "Events that the next consumer took.", by("", rate("ebpf_event_delivered_total")), 0, 0,
			},
			number{
				"Lost", units.EventsPerSecond, "Events that were not delivered, for any cause but the limits of the configuration.",
				by("", rate(lost, `ebpf_loss_cause!~"rate_limit|overhead_limit"`)), 0.01, 1,
			},
			number{
				"CPU", units.PercentUnit, "CPU time of the collectors, added up. 100 % is one CPU. The programs in the kernel are not in it.",
				by("", rate("otelcol_process_cpu_seconds")), 0, 0,
			},
			number{
				"Memory", units.BytesIEC, "Resident memory of the largest collector.", "max(" + of("otelcol_process_memory_rss") + ")", 0, 0,
			},
		}},
		{"Events", []panel{
			lines{
				"Delivered by program", units.EventsPerSecond, "events: false or a smaller event_limit makes a program cheaper; its metrics stay exact.",
				[]series{{by("ebpf_program_name", rate("ebpf_event_delivered_total")), "{{ebpf_program_name}}"}},
			},
			lines{
				"Lost by cause", units.EventsPerSecond, "rate_limit: raise event_limit, or read the metrics. ring_full: a larger ring_buffer_size or a faster exporter. refused: a sending_queue at the exporter. map_full: series are in otel.metric.overflow.",
				[]series{{by("ebpf_program_name, ebpf_loss_cause", rate(lost)) + " > 0", "{{ebpf_program_name}} {{ebpf_loss_cause}}"}},
			},
			lines{
				"Share that is lost", units.PercentUnit, "Of all events of the program, the limits of the configuration included.",
				[]series{{
					by("ebpf_program_name", rate(lost)) + " / (" + by("ebpf_program_name", rate(lost)) + " + " +
						by("ebpf_program_name", rate("ebpf_event_delivered_total")) + ")", "{{ebpf_program_name}}",
				}},
			},
		}},
		{"Unconsumed", []panel{
			lines{
				"Ring buffer", units.PercentUnit, "How full it is. Near 100 % events are lost: the pipeline is too slow, or ring_buffer_size too small.",
				[]series{{"max by (instance) (" + of("otelcol_receiver_ebpf_ring_utilization") + ")", "{{instance}}"}},
			},
			lines{
				"Queues of exporters", units.PercentUnit, "How full they are. A queue that fills has a backend that is slow or gone.",
				[]series{{
					"max by (" + byExport + ") (" + of("otelcol_exporter_queue_size") + " / " + of("otelcol_exporter_queue_capacity") + ")",
					"{{instance}} {{exporter}}",
				}},
			},
			lines{
				"Refused by the pipeline", units.EventsPerSecond, "By memory_limiter or an exporter without a queue. They are lost with the cause refused.",
				[]series{{by("instance", rate("otelcol_receiver_refused_log_records", `receiver="ebpf"`)), "{{instance}}"}},
			},
		}},
		{"Cost", []panel{
			lines{
				"CPU of the collector", units.PercentUnit, "100 % is one CPU. Most of it is per event: limit the events of the program that delivers most.", []series{{by("instance", rate("otelcol_process_cpu_seconds")), "{{instance}}"}},
			},
			lines{
				"CPU of programs", units.PercentUnit, "In the kernel, by program. 100 % is one CPU. " + measured,
				[]series{{most(by("ebpf_program_name", rate(runTime))), "{{ebpf_program_name}}"}},
			},
			lines{
				"Time of one run", units.Seconds, "By program. " + measured,
				[]series{{
					most(by("ebpf_program_name", rate(runTime)) + " / " + by("ebpf_program_name", rate("ebpf_program_runs_total"))), "{{ebpf_program_name}}",
				}},
			},
			lines{
				"Memory", units.BytesIEC, "Resident memory of the collector, which includes pages of its executable and of the ring buffer.",
				[]series{{"max by (instance) (" + of("otelcol_process_memory_rss") + ")", "{{instance}}"}},
			},
		}},
		{"Overhead", []panel{
			lines{
				"Cost by program", units.PercentUnit, "In the kernel and for its events in the collector, in samples. 100 % is one CPU. It has data with an overhead_limit.",
				[]series{{most(by("ebpf_program_name", of(overhead, `ebpf_program_name!=""`))), "{{ebpf_program_name}}"}},
			},
			lines{
				"Cost by place", units.PercentUnit, "The programs in the kernel, and the collector's process with all that it does. It has data with an overhead_limit.",
				[]series{{by("instance, ebpf_overhead_place", of(overhead)), "{{instance}} {{ebpf_overhead_place}}"}},
			},
			lines{
				"Held back", units.EventsPerSecond, "Events that were not emitted, because the programs cost more than overhead_limit. It has data with an overhead_limit.",
				[]series{{by("ebpf_program_name", rate(lost, `ebpf_loss_cause="overhead_limit"`)), "{{ebpf_program_name}}"}},
			},
		}},
		{"Programs", []panel{
			list{
				"State of programs", "Anything but attached: see the collector's log, docs/troubleshooting.md, or /api/programs of the event store.",
				"max by (instance, ebpf_program_name, ebpf_program_state) (" + of(state) + ")",
				[]column{{"instance", "Host"}, {"ebpf_program_name", "Program"}, {"ebpf_program_state", "State"}},
				map[string]string{"attached": "green", "loading": "yellow", "events_off": "yellow", "sampled": "orange", "failed": "red", "detached": "red"},
			},
		}},
	},
}
