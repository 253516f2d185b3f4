// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

const (
	waits  = "ebpf_runqueue_duration_seconds"
	disk   = "ebpf_disk_operation_duration_seconds"
	exits  = "ebpf_process_exits_total"
	stalls = `le="0.1"`
)

var host = page{
	title:       "Host",
	description: "CPUs, disks, memory, processes, descriptors and system calls, as the kernel counts them. Programs: runqueue, disk_io, oom, process, file_descriptor, syscall, file.",
	rows: []row{
		{"Now", []panel{
			number{
				"Wait for a CPU, 99 %", units.Seconds, "99 of 100 waits of runnable tasks are shorter. Much more than some ms: too few CPUs, or quotas that are too small.",
				quantile(0.99, "", waits), 0.025, 0.1,
			},
			number{
				"Slowest disk, 99 %", units.Seconds, "99 of 100 operations of the slowest disk are faster.",
				"max(" + quantile(0.99, "instance, system_device", disk) + ")", 0.05, 0.25,
			},
			number{
				"OOM kills", units.Short, "Processes that the kernel has killed for lack of memory since the receivers started.",
				orZero("sum(" + of("ebpf_oom_kills_total") + ")"), 1, 1,
			},
			number{
				"Fatal signals", units.CountsPerSecond, "Processes that a signal ended.", orZero(by("", rate(exits, `ebpf_process_exit_class="signal"`))), 0, 0,
			},
			number{
				"Open descriptors", units.Short, "File descriptors that processes have open.", "sum(" + of("ebpf_file_descriptor_count") + ")", 0, 0,
			},
		}},
		{"CPU", []panel{
			lines{"Wait for a CPU", units.Seconds, "How long runnable tasks wait until they run.", quantiles(waits)},
			lines{
				"Who waits", units.Seconds, "99 of 100 waits of the unit or container are shorter. A container alone: its CPU quota. All: the host has too few CPUs.",
				[]series{{"topk(10, histogram_quantile(0.99, " + by("whose, le", whose(rate(waits+"_bucket"))) + "))", "{{whose}}"}},
			},
			lines{
				"Stalls", units.CountsPerSecond, "Waits of more than 100 ms. The event store has the longest, with process and CPU: /api/events?type=runqueue.",
				[]series{{
					most(by("whose", whose(rate(waits+"_count"))) + " - " + by("whose", whose(rate(waits+"_bucket", stalls)))), "{{whose}}",
				}},
			},
		}},
		{"Disks", []panel{
			lines{
				"Duration, 99 %", units.Seconds, "99 of 100 operations are faster, from their issue to their completion. The event store has the slow ones with their process: /api/events?type=disk_io.",
				[]series{{most(quantile(0.99, "system_device, ebpf_disk_operation_type", disk)), "{{system_device}} {{ebpf_disk_operation_type}}"}},
			},
			lines{
				"Operations", units.IOOpsPerSecond, "Operations that were completed.",
				[]series{{most(by("system_device, ebpf_disk_operation_type", rate(disk+"_count"))), "{{system_device}} {{ebpf_disk_operation_type}}"}},
			},
			lines{
				"Bytes", units.BytesPerSecondIEC, "Bytes that were read, written or discarded.",
				[]series{{most(by("system_device, ebpf_disk_operation_type", rate("ebpf_disk_io_bytes_total"))), "{{system_device}} {{ebpf_disk_operation_type}}"}},
			},
			lines{
				"Errors", units.IOOpsPerSecond, "Operations that failed. A disk that has errors is about to fail: look into the kernel's log.",
				[]series{{by("system_device, error_type", rate(disk+"_count", `error_type!=""`)), "{{system_device}} {{error_type}}"}},
			},
		}},
		{"Processes and memory", []panel{
			lines{
				"OOM kills", units.Short, "Kills since the receiver started. The event store has the victim with its memory, and who asked for more: /api/events?type=oom.",
				[]series{{most(by("whose", whose(of("ebpf_oom_kills_total")))), "{{whose}}"}},
			},
			lines{
				"Executions", units.CountsPerSecond, "Programs that were executed. A rise is a deployment, a cron job, or a loop.",
				[]series{{most(by("whose", whose(rate("ebpf_process_executions_total")))), "{{whose}}"}},
			},
			lines{
				"Ends of processes", units.CountsPerSecond, "success is exit code 0, failure another one.",
				[]series{{by("ebpf_process_exit_class", rate(exits)), "{{ebpf_process_exit_class}}"}},
			},
			lines{
				"Fatal signals", units.CountsPerSecond, "SIGSEGV, SIGABRT, SIGBUS and the like are crashes. /api/events?type=ebpf.process.exit&severity=warn has the processes.",
				[]series{{
					most(by("whose, ebpf_process_exit_signal", whose(rate(exits, `ebpf_process_exit_class="signal"`)))), "{{whose}} {{ebpf_process_exit_signal}}",
				}},
			},
		}},
		{"Descriptors", []panel{
			lines{
				"Most descriptors", units.Short, "Of processes, by kind. One that only rises is a leak: /api/events?type=file_descriptor.",
				[]series{{
					most("max by (instance, process_executable_name, process_pid, ebpf_file_descriptor_kind) (" + of("ebpf_file_descriptor_count", `otel_metric_overflow=""`) + ")"),
					"{{process_executable_name}}[{{process_pid}}] {{ebpf_file_descriptor_kind}}",
				}},
			},
			lines{
				"By kind", units.Short, "Of all processes. Many sockets are connections that nobody closes; see the network.",
				[]series{{by("ebpf_file_descriptor_kind", of("ebpf_file_descriptor_count")), "{{ebpf_file_descriptor_kind}}"}},
			},
		}},
		{"System calls and files", []panel{
			lines{
				"Failed system calls", units.CountsPerSecond, "By call and error, if the program syscall runs. eagain and enoent are mostly usual; enospc, emfile, enomem and eio are not.",
				[]series{{most(by("ebpf_syscall_name, error_type", rate("ebpf_syscall_errors_total"))), "{{ebpf_syscall_name}} {{error_type}}"}},
			},
			lines{
				"Time in system calls", "none", "Seconds per second, by call, if the program syscall runs: how many threads are in it at a time, working or waiting.",
				[]series{{most(by("ebpf_syscall_name", rate("ebpf_syscall_duration_seconds_sum"))), "{{ebpf_syscall_name}}"}},
			},
			lines{
				"Deleted files", units.CountsPerSecond, "Files and directories that processes deleted. /api/events?type=ebpf.file.delete has their paths.",
				[]series{{most(by("whose, ebpf_file_deletion_kind", whose(rate("ebpf_file_deletions_total", `error_type=""`)))), "{{whose}} {{ebpf_file_deletion_kind}}"}},
			},
		}},
	},
}
