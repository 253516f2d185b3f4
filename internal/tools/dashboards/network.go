// Copyright The otelcol-ebpf Authors
// SPDX-License-Identifier: Apache-2.0

package main

import "github.com/grafana/grafana-foundation-sdk/go/units"

const (
	failed    = "ebpf_connection_failed_total"
	opened    = "ebpf_connection_opened_total"
	tcp       = `network_transport="tcp"`
	asClient  = `ebpf_connection_role="client"`
	listeners = "server_address, server_port, process_executable_name, instance"
	listener  = "{{process_executable_name}} {{server_address}}:{{server_port}}"
)

// failing is the share of TCP connections that could not be established. It is 0 where none was tried.
var failing = "(" + orZero(by("", rate(failed, tcp))) + ") / clamp_min((" + orZero(by("", rate(failed, tcp))) + ") + (" +
	orZero(by("", rate(opened, tcp, asClient))) + "), 1e-9)"

var network = page{
	title:       "Is the network well",
	description: "Failed connections, drops, losses and accept queues, as the kernel counts them. Programs: connection, packet_drop, tcp.",
	rows: []row{
		{"Now", []panel{
			number{
				"Connections that fail", units.PercentUnit, "Share of TCP connections that processes of these hosts tried and did not get. If it is red, see below which and why.",
				failing, 0.01, 0.1,
			},
			number{
				"Dropped packets", units.PacketsPerSecond, "Packets that the kernel dropped. Some are usual: closed ports, firewalls. Compare with the days before.",
				orZero(by("", rate("ebpf_packet_drops_total"))), 0, 0,
			},
			number{
				"Retransmits", units.CountsPerSecond, "TCP segments that were sent again, because they or their acknowledgements got lost.",
				orZero(by("", rate("ebpf_tcp_retransmits_total"))), 0, 0,
			},
			number{
				"Resets", units.CountsPerSecond, "TCP resets that were sent or received.", orZero(by("", rate("ebpf_tcp_resets_total"))), 0, 0,
			},
			number{
				"Round trip, 95 %", units.Seconds, "95 of 100 sampled round-trip times are shorter.", quantile(0.95, "", "ebpf_tcp_rtt_seconds"), 0.1, 0.5,
			},
			number{
				"Full accept queues", units.Short, "Listeners whose accept queue is full now, so that clients wait or fail. Raise backlog and somaxconn, or find out why the process does not accept.",
				orZero("sum(" + of("ebpf_listener_backlog") + " > bool " + of("ebpf_listener_limit") + ")"), 1, 1,
			},
		}},
		{"Failed connections", []panel{
			lines{
				"By cause", units.CountsPerSecond, "local_drop and rejected_here: this host's firewall or queues. reset_by_peer: nobody listens there. no_answer: the network, or a firewall on the way. " +
					"no_route, denied, no_local_port: settings of this host. gave_up: the process's own time-out.",
				[]series{{by("ebpf_connection_cause, error_type", rate(failed)), "{{ebpf_connection_cause}} ({{error_type}})"}},
			},
			lines{
				"By unit or container", units.CountsPerSecond, "Who cannot connect. The event store has each attempt: /api/events?type=connection&severity=warn, with unit=NAME or container=ID.",
				[]series{{most(by("whose", whose(rate(failed)))), "{{whose}}"}},
			},
			lines{
				"By peer", units.CountsPerSecond, "Which server cannot be reached, and why. It has data if the attributes of ebpf.connection.failed include server.address, as in examples/dashboards.yaml.",
				[]series{{
					most(by("server_address, server_port, ebpf_connection_cause", rate(failed, `server_address!=""`))),
					"{{server_address}}:{{server_port}} {{ebpf_connection_cause}}",
				}},
			},
		}},
		{"Losses", []panel{
			lines{
				"Dropped packets by reason", units.PacketsPerSecond, "no_socket: nobody listens on the port. netfilter_drop: a firewall. socket_rcvbuff: a process reads too slowly. The event store says in which function, and whose: /api/events?type=packet_drop.",
				[]series{{most(by("ebpf_drop_reason, network_transport", rate("ebpf_packet_drops_total"))), "{{ebpf_drop_reason}} ({{network_transport}})"}},
			},
			lines{
				"Retransmits by type", units.CountsPerSecond, "syn and syn_ack: the other side does not answer at all. fast, timeout and tail_loss_probe: losses on the way. /api/summary?type=ebpf.tcp.retransmit&by=attr.server.address finds the peer.",
				[]series{{by("ebpf_tcp_retransmit_type", rate("ebpf_tcp_retransmits_total")), "{{ebpf_tcp_retransmit_type}}"}},
			},
			lines{
				"Resets by reason", units.CountsPerSecond, "Sent ones have the kernel's reason: no_socket is a closed port, tcp_abort_on_data a process that closed with data unread.",
				[]series{{most(by("network_io_direction, ebpf_tcp_reset_reason", rate("ebpf_tcp_resets_total"))), "{{network_io_direction}} {{ebpf_tcp_reset_reason}}"}},
			},
		}},
		{"Time", []panel{
			lines{
				"Round trips", units.Seconds, "Smoothed round-trip times of TCP connections. A rise of all of them is the network or a full queue; of the slowest ones, some peers.",
				quantiles("ebpf_tcp_rtt_seconds"),
			},
			lines{
				"Handshakes", units.Seconds, "From the first SYN to the answer. Steps at 1 s and 3 s are lost SYNs: a full accept queue or a firewall.",
				quantiles("ebpf_connection_handshake_duration_seconds"),
			},
			lines{
				"Durations of connections", units.Seconds, "From the establishment to the close.", quantiles("ebpf_connection_duration_seconds"),
			},
		}},
		{"Listeners", []panel{
			lines{
				"Accept queues", units.PercentUnit, "How full they are. From 100 % on the kernel drops handshakes. The process accepts too slowly, or the limit (backlog of listen(), somaxconn) is too small.",
				[]series{{
					most("max by (" + listeners + ") (" + of("ebpf_listener_backlog") + " / (" + of("ebpf_listener_limit") + " + 1))"), listener,
				}},
			},
			lines{
				"Overflows of accept queues", units.CountsPerSecond, "Segments of handshakes that the kernel dropped because the queue was full. Each costs a client a second or more.",
				[]series{{most(by(listeners, rate("ebpf_listener_overflows_total"))), listener}},
			},
		}},
		{"Traffic", []panel{
			lines{
				"Opened connections", units.CountsPerSecond, "Connections that were established. For UDP, new peers.",
				[]series{{by("network_transport, ebpf_connection_role", rate(opened)), "{{network_transport}} {{ebpf_connection_role}}"}},
			},
			lines{
				"Open connections", units.Short, "TCP connections that are established now. One that only rises is a leak.",
				[]series{{most(by("whose, ebpf_connection_role", whose(of("ebpf_connection_active")))), "{{whose}} {{ebpf_connection_role}}"}},
			},
			lines{
				"Payload", units.BytesPerSecondIEC, "Bytes of TCP connections, without headers and retransmits.",
				[]series{{most(by("whose, network_io_direction", whose(rate("ebpf_connection_io_bytes_total")))), "{{whose}} {{network_io_direction}}"}},
			},
		}},
	},
}
