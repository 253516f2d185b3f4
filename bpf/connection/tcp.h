/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * TCP connections, by the changes of a socket's state. A connection of MPTCP has a TCP socket for each subflow. The first one is
 * the connection; further ones add their bytes to it, but are neither opened nor closed as connections.
 */
#pragma once

#include "../include/parts.h"
#include "../include/track.h"
#include "account.h"
#include "attempts.h"
#include "causes.h"
#include "counts.h"
#include "open_bytes.h"

/* What was reported of a connection. */
enum connection_flags {
	CONNECTION_OPENED = 1 << 0,   /* it is counted as active */
	CONNECTION_EXCLUDED = 1 << 1, /* the configuration excludes it */
	CONNECTION_SUBFLOW = 1 << 2,  /* it is a further subflow, which is not counted */
	CONNECTION_SCANNED = 1 << 3,  /* a scan has found it: see open_bytes.h */
};

#define CONNECTION_FLAG_BITS 4

struct connection {
	__u64 since; /* ns: of the connect(), later of the establishment; 0: it existed before the receiver */
	__u64 flags; /* the upper bits are the cgroup that the connection is counted in as active */
};

DEFINE_PARTS(connection, connection)

static __always_inline void set_opened(struct connection *c, __u64 cgroup)
{
	c->flags |= cgroup << CONNECTION_FLAG_BITS | CONNECTION_OPENED;
}

static __always_inline __u64 opened_cgroup(const struct connection *c)
{
	return c->flags >> CONNECTION_FLAG_BITS;
}

/* Whether this side had sent its FIN in the old state; CLOSE: earlier changes were missed. */
static __always_inline bool has_sent_fin(struct sock *sk, int old)
{
	switch (old) {
	case TCP_FIN_WAIT1:
	case TCP_FIN_WAIT2:
	case TCP_CLOSING:
	case TCP_LAST_ACK:
		return true;
	case TCP_CLOSE:
		return !sk->sk_err && sk->sk_shutdown & SEND_SHUTDOWN;
	}
	return false;
}

/* The bytes that the peer has acknowledged, without this side's FIN and a client's SYN, which the kernel counts as bytes. */
static __always_inline __u64 bytes_sent(struct sock *sk, struct tcp_sock *tp, __u8 role, int old)
{
	__u64 acked = tp->bytes_acked, flags = role == ROLE_CLIENT;

	if (has_sent_fin(sk, old) && tp->snd_una == tp->write_seq)
		flags++;
	return acked > flags ? acked - flags : 0;
}

static __always_inline __u64 bytes_received(struct sock *sk, struct tcp_sock *tp)
{
	/* The kernel counts the peer's FIN as a byte. */
	return tp->bytes_received - ((sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
}

/*
 * Why a connection was closed: an errno or enum failure; 0 is an orderly close. A connection that is closed without an error
 * in a state in which data flows was aborted by its own process.
 */
static __always_inline __u32 close_error(struct sock *sk, struct tcp_sock *tp, int old)
{
	int err = sk->sk_err;

	if (err == EPIPE) /* the kernel's error for a reset that comes after the peer's FIN */
		return ECONNRESET;
	if (err)
		return err;
	switch (old) {
	case TCP_SYN_SENT:
		if (tp->segs_out)
			return ERROR_ABORTED;
		/*
		 * No port is free, or the one that the process has chosen is taken for this server. Else it would have a number by now.
		 * A product is one branch less for the verifier.
		 */
		return (__u64)tp->inet_conn.icsk_inet.inet_sport * tp->write_seq ? ERROR_OTHER : EADDRNOTAVAIL;
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return ERROR_ABORTED;
	}
	return 0;
}

/* The time since a client's first SYN, which is not answered yet. TCP keeps the time of that in ms. */
static __always_inline __u64 since_first_syn(struct tcp_sock *tp, __u64 now)
{
	const __u64 us = 1000, ms = 1000 * us;

	if (!tp->retrans_stamp)
		return 0;
	if (bpf_core_field_exists(tp->tcp_usec_ts) && BPF_CORE_READ_BITFIELD_PROBED(tp, tcp_usec_ts))
		return (__u32)((__u32)(now / us) - tp->retrans_stamp) * us;
	return (__u32)((__u32)(now / ms) - tp->retrans_stamp) * ms;
}

/*
 * The duration of a handshake, successful or not, from the first SYN on. That is sent by connect(), unless TCP_FASTOPEN_CONNECT
 * defers it until the process sends something. After that the round trip is the handshake if there was one SYN only.
 */
static __always_inline __u64 handshake_duration(struct tcp_sock *tp, __u64 since, __u64 now, bool succeeded)
{
	if (!since || !BPF_CORE_READ_BITFIELD_PROBED(tp, fastopen_connect))
		return since ? now - since : 0;
	if (!succeeded)
		return since_first_syn(tp, now);
	return tp->total_retrans ? 0 : (tp->srtt_us >> 3) * 1000ULL;
}

/* Whether a connect() was deferred. If nothing has been sent then, the peer was never asked. */
static __always_inline bool is_deferred(struct tcp_sock *tp)
{
	struct inet_sock *inet = &tp->inet_conn.icsk_inet;
	struct inet_sock___pre_6_6 *before = (void *)inet;

	if (bpf_core_field_exists(inet->inet_flags))
		return inet->inet_flags >> DEFER_CONNECT & 1;
	return BPF_CORE_READ_BITFIELD_PROBED(before, defer_connect);
}

static __always_inline __u64 cgroup_of(const struct socket_state *s, struct sock *sk)
{
	return s->owner.pid ? s->owner.cgroup : socket_cgroup(sk);
}

/* __noinline: the callers would not have the stack for it, of which three functions share 512 bytes. */
static __noinline int describe_socket(struct event *e, struct sock *sk, struct tcp_sock *tp, const struct socket_state *s,
				      const struct flow *flow)
{
	read_interface(e->interface, flow, sk->__sk_common.skc_net.net, sk->__sk_common.skc_bound_dev_if);
	e->hooked = is_hooked(sk->__sk_common.skc_net.net);
	e->owner = s->owner;
	e->flow = *flow;
	e->transport = IPPROTO_TCP;
	e->role = s->role;
	e->attribution = s->owner.pid ? ATTRIBUTION_SOCKET : ATTRIBUTION_CGROUP;
	e->gone = identity_in(&s->life) == IDENTITY_GONE;
	e->cookie = sk->__sk_common.skc_cookie.counter;
	e->bytes_received = bytes_received(sk, tp);
	e->rtt = tp->srtt_us >> 3;
	e->rtt_min = tp->rtt_min.s[0].v;
	e->retransmits = tp->total_retrans;
	e->netns = sk->__sk_common.skc_net.net->ns.inum;
	e->family = sk->__sk_common.skc_family;
	e->unsent = false;
	return 0;
}

/* Who has refused a connection: not by way of the stack, as above. */
static __always_inline void describe_refusal(struct event *e, struct sock *sk, __u64 now)
{
	struct diagnosis *q;
	__u32 zero = 0;

	__builtin_memset(&e->refused_by, 0, sizeof(e->refused_by));
	if (e->error != ECONNREFUSED)
		return;
	q = bpf_map_lookup_elem(&connection_diagnosis, &zero);
	if (q && q->socket == address_of(sk) && q->now == now)
		e->refused_by = q->refused_by;
}

static __always_inline void emit_tcp(__u8 event, struct sock *sk, struct tcp_sock *tp, const struct socket_state *s,
				     const struct flow *flow, __u64 cgroup, __u64 now, __u64 duration, __u64 sent, __u32 error,
				     const struct ending *ending, bool subflow)
{
	bool urgent = event == EVENT_CONNECT && error;
	struct event *e;

	if (!event_enabled(event) || !take_from_limit_of(event_kind(event, error)))
		return;
	e = reserve_record(event, sizeof(*e), now, urgent);
	if (!e)
		return;
	describe_socket(e, sk, tp, s, flow);
	/* A client's user is that of the thread that connects, and has just been read. No branch here: the verifier would follow both. */
	e->owner.uid = user_of(e->owner.pid, identity_in(&s->life), e->owner.uid, event ^ EVENT_CONNECT);
	e->owner.cgroup = cgroup;
	e->duration = duration;
	e->bytes_sent = sent;
	e->ending = *ending;
	if (event == EVENT_CLOSE)
		read_account(&e->account, tp, e->cookie);
	else
		__builtin_memset(&e->account, 0, sizeof(e->account));
	e->error = error;
	e->subflow = subflow;
	describe_refusal(e, sk, now);
	submit_record(e);
}

/* Without a branch, as in interface.h. */
static __always_inline bool is_subflow(const struct connection *c)
{
	__u32 flags = c->flags;

	barrier_var(flags);
	return flags / CONNECTION_SUBFLOW & 1;
}

/*
 * Counts and reports an established connection: established now, or earlier if the hook missed that. __noinline, here and below:
 * the verifier would follow it once per path of its callers.
 */
static __noinline void report_opened(struct sock *sk, struct tcp_sock *tp, const struct socket_state *s, struct connection *c,
				     bool seen)
{
	/* The time of the segment that is being processed. TCP has read it, so that it is cheaper than the clock. */
	__u64 now = seen ? tp->tcp_clock_cache : bpf_ktime_get_ns();
	bool subflow = is_subflow(c);
	struct peer_series key = {.series = {.transport = IPPROTO_TCP}};
	struct ending ending = {};
	struct flow flow;
	__u64 duration = 0;
	__u8 event;

	read_flow(&flow, sk, tp);
	if (is_excluded_owner(&s->owner, cgroup_of(s, sk)) || is_excluded_flow(&flow)) {
		c->flags = CONNECTION_EXCLUDED;
		return;
	}
	if (seen && s->role == ROLE_CLIENT)
		duration = handshake_duration(tp, c->since, now, true);
	key.series.cgroup = cgroup_of(s, sk);
	keep_socket(socket_key(sk), address_of(sk));
	set_opened(c, key.series.cgroup);
	if (seen)
		c->since = now;

	key.series.type = type_of(&flow);
	key.series.role = s->role;
	set_server(&key.server, &flow, s->role);
	if (!subflow)
		count(&key, COUNT_OPENED);
	if (duration && !subflow) {
		key.series.role = ROLE_UNKNOWN;
		add_duration(&key.series, duration);
	}
	event = s->role == ROLE_CLIENT ? EVENT_CONNECT : EVENT_ACCEPT;
	if (subflow)
		event = EVENT_JOIN;
	emit_tcp(event, sk, tp, s, &flow, key.series.cgroup, now, duration, 0, 0, &ending, subflow);
}

/* Begins a connection: what may be left of an earlier one of the same socket is cleared. */
static __always_inline struct connection *begin_connection(struct sock *sk, __u64 since)
{
	struct connection *c = connection_part(sk);

	if (c) {
		c->since = since;
		c->flags = 0;
	} else {
		count_loss(LOSS_MAP_FULL);
	}
	return c;
}

/* CLOSE → SYN_SENT. */
static __always_inline void on_connect(struct sock *sk, struct tcp_sock *tp)
{
	mark_started();
	if (track_connect(sk, tp))
		begin_connection(sk, bpf_ktime_get_ns());
}

/* LISTEN → SYN_RECV of a new connection's socket, which the kernel makes at the end of the handshake. */
static __always_inline void on_accept(struct sock *sk)
{
	if (track_accept(sk))
		begin_connection(sk, 0);
}

/* SYN_SENT or SYN_RECV → ESTABLISHED. */
static __always_inline void on_established(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct socket_state *s = find_state(sk);
	struct connection *c = s ? connection_part(sk) : NULL;
	bool opened = c && c->flags & CONNECTION_OPENED;

	/* It is reported already. By address, this may be left over from an earlier socket. */
	if (opened && !by_address)
		return;
	if (!c || opened || s->role == ROLE_UNKNOWN) {
		/* The changes before were missed. */
		s = old == TCP_SYN_SENT ? track_connected(sk) : track_accept(sk);
		if (!s)
			return;
		c = begin_connection(sk, 0);
	}
	if (!c)
		return;
	if (share_owner(s, tp))
		c->flags |= CONNECTION_SUBFLOW;
	report_opened(sk, tp, s, c, true);
}

/*
 * Whether a connection is closed by a segment, so that TCP has read the time just now; that is cheaper than the clock. From
 * FIN_WAIT2 a process may have closed it too, but not once the peer's FIN has come.
 */
static __always_inline bool is_closed_by_segment(struct sock *sk, int old)
{
	return old == TCP_LAST_ACK || old == TCP_CLOSING ||
	       (old == TCP_FIN_WAIT2 && (sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
}

/* Has explain() find the cause. It stays unknown if a run that interrupts this one has used the same memory. */
static __always_inline void diagnose(struct ending *ending, struct sock *sk, struct tcp_sock *tp, const struct flow *flow,
				     __u64 since, bool opened, __u32 error, __u64 duration, __u64 now)
{
	__u64 socket = address_of(sk);
	struct diagnosis *q;
	__u32 zero = 0;

	q = bpf_map_lookup_elem(&connection_diagnosis, &zero);
	if (!q)
		return;
	__builtin_memset(q, 0, sizeof(*q));
	q->socket = socket;
	q->flow = *flow;
	q->error = error;
	q->since = since;
	q->duration = duration;
	q->now = now;
	q->user_timeout = tp->inet_conn.icsk_user_timeout * 1000000ULL;
	q->segments_in = tp->segs_in;
	q->segments_out = tp->segs_out;
	q->opened = opened;
	q->netns = sk->__sk_common.skc_net.net->ns.inum;
	q->family = sk->__sk_common.skc_family;
	q->first = tp->snd_una;
	explain(zero);
	if (q->socket == socket && q->now == now)
		*ending = q->ending;
}

static __noinline void report_closed(struct sock *sk, struct tcp_sock *tp, const struct socket_state *s, struct connection *c,
				     int old)
{
	struct peer_series key = {.series = {.transport = IPPROTO_TCP}};
	__u64 now, cgroup, sent, received, duration = 0;
	struct ending ending = {};
	bool opened, subflow, left;
	struct flow flow;
	__u32 error;
	__u8 event;

	now = is_closed_by_segment(sk, old) ? tp->tcp_clock_cache : bpf_ktime_get_ns();
	opened = c->flags & CONNECTION_OPENED;
	if (!opened && further_subflow(tp))
		c->flags |= CONNECTION_SUBFLOW;
	subflow = is_subflow(c);
	/* A server's connection that was not established was never accepted. */
	if (c->flags & CONNECTION_EXCLUDED || (!opened && s->role != ROLE_CLIENT))
		return;
	read_flow(&flow, sk, tp);
	if (!opened && (is_excluded_owner(&s->owner, cgroup_of(s, sk)) || is_excluded_flow(&flow)))
		return;
	if (!opened && old == TCP_SYN_SENT && !tp->segs_out && is_deferred(tp))
		return;
	if (!opened)
		duration = handshake_duration(tp, c->since, now, false);
	else if (c->since)
		duration = now - c->since;
	error = close_error(sk, tp, old);
	if (!opened && !error)
		error = ERROR_OTHER;
	if (error)
		diagnose(&ending, sk, tp, &flow, c->since, opened, error, duration, now);

	sent = bytes_sent(sk, tp, s->role, old);
	received = bytes_received(sk, tp);
	cgroup = cgroup_of(s, sk);
	key.series.cgroup = cgroup;
	key.series.type = type_of(&flow);
	key.series.role = s->role;
	set_server(&key.server, &flow, s->role);
	if (opened) {
		left = c->flags & CONNECTION_SCANNED && leave_totals(socket_key(sk), &key, sent, received);
		count_bytes(&key, !subflow && opened_cgroup(c) == cgroup ? COUNT_CLOSED : 0, left ? 0 : sent,
			    left ? 0 : received);
		if (duration && !subflow)
			add_duration(&key.series, duration);
		/* A process in another cgroup has opened the connection and passed it on. There it stays active until here. */
		if (!subflow && opened_cgroup(c) != cgroup) {
			key.series.cgroup = opened_cgroup(c);
			count(&key, COUNT_CLOSED);
		}
	} else if (!subflow) {
		key.series.error = error;
		key.series.cause = ending.cause;
		count(&key, COUNT_FAILED);
	}
	event = subflow ? EVENT_JOIN : EVENT_CONNECT;
	if (opened)
		event = EVENT_CLOSE;
	emit_tcp(event, sk, tp, s, &flow, cgroup, now, duration, sent, error, &ending, subflow);
}

/* Counts a connection that existed before the hooks did. */
static __always_inline void count_existing(const struct socket_state *s, struct connection *c, const struct flow *flow,
					   __u64 cgroup)
{
	struct peer_series key = {
		.series = {.cgroup = cgroup, .transport = IPPROTO_TCP, .type = type_of(flow), .role = s->role},
	};

	if (is_excluded_owner(&s->owner, cgroup) || is_excluded_flow(flow)) {
		c->flags |= CONNECTION_EXCLUDED;
		return;
	}
	set_opened(c, cgroup);
	set_server(&key.server, flow, s->role);
	if (!(c->flags & CONNECTION_SUBFLOW))
		count(&key, COUNT_FOUND);
}

/* The state of a connection that is being closed, which may be one that was not found at the start. */
static __noinline struct socket_state *find_ending(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct socket_state *s = find_state(sk);
	struct connection *c;
	struct flow flow;

	if (s || !is_open(old))
		return s;
	s = track_late(sk);
	c = s ? begin_connection(sk, 0) : NULL;
	if (!c)
		return NULL;
	if (share_owner(s, tp))
		c->flags |= CONNECTION_SUBFLOW;
	keep_socket(socket_key(sk), address_of(sk));
	read_flow(&flow, sk, tp);
	count_existing(s, c, &flow, cgroup_of(s, sk));
	return s;
}

/* Any state but LISTEN → CLOSE; `old` is CLOSE at the end of a socket if that change was missed. */
static __always_inline void on_close(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct socket_state *s = find_ending(sk, tp, old);
	struct connection *c;

	if (!s)
		return;
	c = connection_part(sk);
	/* A further subflow may be closed by a process that does not own the connection. */
	if (!c || !(c->flags & CONNECTION_SUBFLOW))
		check_owner(sk, s);
	if (c) {
		/* The establishment was missed. */
		if (!c->flags && s->role != ROLE_UNKNOWN && is_open(old)) {
			if (further_subflow(tp))
				c->flags = CONNECTION_SUBFLOW;
			report_opened(sk, tp, s, c, false);
		}
		report_closed(sk, tp, s, c, old);
	}
	connection_forget(sk);
	track_close(sk);
}

/* ESTABLISHED → FIN_WAIT1, CLOSE_WAIT → LAST_ACK: a process shuts the connection down, or closes it. */
static __always_inline void on_shutdown(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct socket_state *s = find_ending(sk, tp, old);

	if (s && !further_subflow(tp))
		check_owner(sk, s);
}

static __always_inline void on_change(struct sock *sk, int old, int next)
{
	struct tcp_sock *tp;

	if (next != TCP_SYN_SENT && next != TCP_LISTEN && next != TCP_SYN_RECV && next != TCP_ESTABLISHED && next != TCP_CLOSE &&
	    next != TCP_FIN_WAIT1 && next != TCP_LAST_ACK)
		return;
	/* NULL for an MPTCP socket: the TCP sockets below it are the connections. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	sk = sock_of(tp);
	if (next == TCP_ESTABLISHED) {
		if (old == TCP_SYN_SENT || old == TCP_SYN_RECV)
			on_established(sk, tp, old);
	} else if (next == TCP_SYN_RECV) {
		if (old == TCP_LISTEN)
			on_accept(sk);
	} else if (next == TCP_FIN_WAIT1 || next == TCP_LAST_ACK) {
		on_shutdown(sk, tp, old);
	} else if (next == TCP_CLOSE) {
		if (old == TCP_LISTEN)
			untrack_listener(sk);
		else if (old != TCP_CLOSE)
			on_close(sk, tp, old);
	} else if (old == TCP_CLOSE) {
		if (next == TCP_SYN_SENT)
			on_connect(sk, tp);
		else
			track_listener(sk, current_task(), false);
	}
}

/*
 * The kernel's recursion guard (see missed.h) skips this for about 1 in 100,000 connections. A change that was missed is
 * reconstructed from the next one, or from tcp_destroy_sock. A fallback would report it at once, but would run ten times for
 * each connection instead of twice.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_set_state, struct sock *sk, int old, int next)
{
	on_change(sk, old, next);
	return 0;
}

/*
 * The fallback where programs are preemptible. All that happens on a CPU while the first function is preempted is missed, which
 * may be several changes of one socket. What the first function has reported is not reported again.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_set_state_missed, struct sock *sk, int old, int next)
{
	on_change(sk, old, next);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(connection_destroy, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!find_state(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp)
		on_close(sock_of(tp), tp, TCP_CLOSE);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(connection_process_exit, struct task_struct *task)
{
	on_process_exit(task);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(connection_process_exec, struct task_struct *task)
{
	on_process_exec(task);
	return 0;
}

/* Runs once after the hooks are attached. */
SEC("iter/task_file")
int connection_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct socket_state *s;
	struct connection *c;
	struct flow flow = {};
	struct sock *sk;
	__u16 protocol;

	if (!task)
		return 0;
	sk = socket_of_file(ctx->file);
	if (!sk)
		return 0;
	protocol = READ(by_address, sk, sk_protocol);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return 0;
	s = track_existing(sk, task);
	if (!s || !is_open(READ(by_address, sk, __sk_common.skc_state)))
		return 0;
	c = connection_part(sk);
	if (!c || c->flags)
		return 0;
	keep_socket(socket_key(sk), address_of(sk));
	read_flow_probe(&flow, sk);
	count_existing(s, c, &flow, by_address ? s->owner.cgroup : cgroup_of(s, sk));
	return 0;
}

/* A socket whose holder user space looks for: a connection, or the listener that it came to. */
struct wanted {
	__u64 cookie;
	struct port port;
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wanted);
} connection_wanted SEC(".maps");

struct holder {
	struct owner owner;
	__u64 connection; /* whether it holds the connection itself */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct holder);
} connection_holder SEC(".maps");

/* Writes the processes that hold the wanted sockets, and replaces owners that are gone. */
SEC("iter/task_file")
int connection_find_holders(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct holder *holder;
	struct wanted *wanted;
	struct sock *sk;
	struct port port;
	__u32 zero = 0;
	int state;

	if (!task)
		return 0;
	sk = socket_of_file(ctx->file);
	if (!sk)
		return 0;
	wanted = bpf_map_lookup_elem(&connection_wanted, &zero);
	holder = bpf_map_lookup_elem(&connection_holder, &zero);
	if (!wanted || !holder)
		return 0;
	state = READ(by_address, sk, __sk_common.skc_state);
	if (state != TCP_CLOSE)
		track_existing(sk, task);
	holder->connection = wanted->cookie && (__u64)READ(by_address, sk, __sk_common.skc_cookie.counter) == wanted->cookie;
	if (!holder->connection) {
		port = port_of(sk);
		if (state != TCP_LISTEN || port.netns != wanted->port.netns || port.number != wanted->port.number ||
		    port.family != wanted->port.family)
			return 0;
	}
	read_owner(&holder->owner, task);
	bpf_seq_write(ctx->meta->seq, holder, sizeof(*holder));
	return 0;
}
