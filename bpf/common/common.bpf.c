//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// What all programs share: the ring buffer, the counts of lost records, the state of sockets, what is excluded. The loader makes
// these maps once, from this object, and gives all programs the same ones.
#include "../include/filter.h"
#include "../include/listening.h"
#include "../include/record.h"
#include "../include/sockets.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u64);
} ebpf_here SEC(".maps");

/*
 * User space runs this once on each CPU. The offset of the CPU's copies of per-CPU variables is the difference between the address
 * of its value of a map and that of the map's values.
 */
SEC("raw_tp")
int ebpf_find_offset(void *ctx)
{
	__u32 zero = 0, cpu = bpf_get_smp_processor_id();
	__u64 *here = bpf_map_lookup_elem(&ebpf_here, &zero), *offset = bpf_map_lookup_elem(&ebpf_cpu_offsets, &cpu);
	const char *map = (const char *)address_of(&ebpf_here);
	__u64 values = 0;

	if (!here || !offset)
		return 0;
	bpf_probe_read_kernel(&values, sizeof(values), map + bpf_core_field_offset(struct bpf_array, value));
	*offset = address_of(here) - values;
	return 0;
}

/* User space runs this for each listener with the address of its socket, and then reads the entry of the map. */
SEC("raw_tp")
int ebpf_update_listener(__u64 *ctx)
{
	return refresh_listening(ctx[0]);
}

EXPORT_ENUM(listening_fate);
EXPORT_STRUCT(record);
EXPORT_STRUCT(flow);
EXPORT_ENUM(loss_cause);
EXPORT_ENUM(attribution);
EXPORT_ENUM(role);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
