//go:build ignore

// SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only)
// Connections: TCP by the changes of a socket's state, UDP by the peers that a socket sends to, unix by connect().
#include "../include/filter.h"
#include "../include/histogram.h"
#include "../include/tcp.h"
#include "../include/track.h"

enum event_id {
	EVENT_CONNECT,
	EVENT_ACCEPT,
	EVENT_CLOSE,
	EVENT_CONNECT_UNIX,
};

/* network.transport: an IP protocol number, or this. */
enum { TRANSPORT_UNIX = 255 };

struct event {
	struct record record;
	struct owner owner;
	struct flow flow;
	__u8 transport;
	__u8 role;
	__u8 attribution;
	__u8 pad;
	__u64 cookie;
	__u64 duration; /* ns: of the handshake; in a close event, since the establishment; 0: not known */
	__u64 bytes_sent;
	__u64 bytes_received;
	__u32 rtt;     /* µs, smoothed */
	__u32 rtt_min; /* µs */
	__u32 retransmits;
	__u32 netns;
	__u32 error; /* errno or enum failure */
	__u32 pad2;
};

/* Values of an error that are no errno. */
enum failure {
	ERROR_ABORTED = 1 << 16, /* given up by its own process */
	ERROR_OTHER,             /* the kernel did not say why */
};

struct unix_event {
	struct record record;
	struct owner owner;
	__u64 cookie;
	__u32 netns;
	__u32 error;
	__u32 length; /* of path; an abstract name begins with a zero byte */
	char path[108];
};

struct series {
	__u64 cgroup; /* ~0: the series of everything that found no room */
	__u32 error;
	__u8 transport;
	__u8 type; /* 4, 6; 0: neither */
	__u8 role;
	__u8 pad;
};

struct counts {
	__u64 found; /* older than the receiver */
	__u64 opened;
	__u64 failed;
	__u64 closed;
	__u64 bytes_sent;
	__u64 bytes_received;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 4096);
	__type(key, struct series);
	__type(value, struct counts);
} connections SEC(".maps");

/* Durations of established connections (role as in struct series), and of handshakes (role 0). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1024); /* or less, by the number of CPUs */
	__type(key, struct series);
	__type(value, struct histogram);
} connection_durations SEC(".maps");

/* Peers that a datagram socket has been seen to send to. */
struct udp_peer {
	__u64 cookie;
	struct address address;
	__u32 port;
	__u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536);
	__type(key, struct udp_peer);
	__type(value, __u8);
} udp_peers SEC(".maps");

static __always_inline struct counts *counts_of(struct series *key)
{
	static const struct counts none;

	return FIND_SERIES(&connections, key, &none, {.cgroup = OVERFLOW_CGROUP});
}

static __always_inline void add_duration(const struct series *series, __u8 role, __u64 ns)
{
	struct series key = *series;
	struct histogram *h;

	key.role = role;
	h = FIND_SERIES(&connection_durations, &key, no_durations(),
			{.cgroup = OVERFLOW_CGROUP, .role = role});
	if (h)
		add_to_histogram(h, ns);
}

static __always_inline __u64 bytes_sent(struct tcp_sock *tp)
{
	return tp->bytes_sent - tp->bytes_retrans;
}

static __always_inline __u64 bytes_received(struct sock *sk, struct tcp_sock *tp)
{
	/* The kernel counts the peer's FIN as a byte. */
	return tp->bytes_received - ((sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
}

/*
 * Why a TCP connection is closed: errno; 0 for an orderly close. Without an error a connection that never left the
 * states in which data flows was thrown away by its own process.
 */
static __always_inline __u32 close_error(struct sock *sk, struct tcp_sock *tp, int old)
{
	int err = sk->sk_err;

	if (err == EPIPE) /* what the kernel calls a reset that arrives after the peer's FIN */
		return ECONNRESET;
	if (err)
		return err;
	switch (old) {
	case TCP_SYN_SENT:
		if (tp->segs_out)
			return ERROR_ABORTED;
		return tp->inet_conn.icsk_inet.inet_sport ? ERROR_OTHER : EADDRNOTAVAIL;
	case TCP_SYN_RECV:
	case TCP_ESTABLISHED:
	case TCP_CLOSE_WAIT:
		return ERROR_ABORTED;
	}
	return 0;
}

static __always_inline __u64 cgroup_of(const struct socket_state *s, struct sock *sk)
{
	return s->owner.pid ? s->owner.cgroup : socket_cgroup(sk);
}

static __always_inline void emit_tcp(__u8 event, struct sock *sk, struct tcp_sock *tp, const struct socket_state *s,
				     const struct flow *flow, __u64 cgroup, __u64 now, __u64 duration, __u32 error)
{
	bool urgent = event == EVENT_CONNECT && error;
	struct event *e;

	if (!event_enabled(event) || !within_limit())
		return;
	e = reserve_record(event, sizeof(*e), now, urgent);
	if (!e)
		return;
	e->owner = s->owner;
	e->owner.cgroup = cgroup;
	e->flow = *flow;
	e->transport = IPPROTO_TCP;
	e->role = s->role;
	e->attribution = s->owner.pid ? ATTRIBUTION_SOCKET : ATTRIBUTION_CGROUP;
	e->pad = 0;
	e->cookie = sk->__sk_common.skc_cookie.counter;
	e->duration = duration;
	e->bytes_sent = bytes_sent(tp);
	e->bytes_received = bytes_received(sk, tp);
	e->rtt = tp->srtt_us >> 3;
	e->rtt_min = tp->rtt_min.s[0].v;
	e->retransmits = tp->total_retrans;
	e->netns = sk->__sk_common.skc_net.net->ns.inum;
	e->error = error;
	e->pad2 = 0;
	submit_record(e);
}

/* Counts and reports a connection that has been established, now or, where that went unseen, some time before. */
static __always_inline void opened(struct sock *sk, struct tcp_sock *tp, struct socket_state *s, __u64 now, bool seen)
{
	struct series series = {.transport = IPPROTO_TCP};
	struct counts *counts;
	struct flow flow;
	__u64 duration = 0;

	read_flow(&flow, sk, tp);
	if (is_excluded_owner(&s->owner) || is_excluded_flow(&flow)) {
		s->flags = SOCKET_EXCLUDED;
		return;
	}
	if (seen && s->role == ROLE_CLIENT && s->since)
		duration = now - s->since;
	s->flags = SOCKET_OPENED;
	if (seen)
		s->since = now;

	series.cgroup = cgroup_of(s, sk);
	series.type = is_ipv4(&flow.remote) ? 4 : 6;
	series.role = s->role;
	counts = counts_of(&series);
	if (counts)
		__sync_fetch_and_add(&counts->opened, 1);
	if (duration)
		add_duration(&series, ROLE_UNKNOWN, duration);
	emit_tcp(s->role == ROLE_CLIENT ? EVENT_CONNECT : EVENT_ACCEPT, sk, tp, s, &flow, series.cgroup, now, duration, 0);
}

/* LISTEN → SYN_RECV, of the socket that is made for a connection when its handshake is over. */
static __always_inline void accepted(struct sock *sk)
{
	struct socket_state *s = track_accept(sk);

	if (s)
		s->role = ROLE_SERVER;
}

/* SYN_SENT or SYN_RECV → ESTABLISHED. */
static __always_inline void established(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct socket_state *s = find_state(sk);

	/* Told already; but by the address, it is left over from a socket that had it before. */
	if (s && s->flags & SOCKET_OPENED && !by_address)
		return;
	if (!s || s->flags & SOCKET_OPENED || s->role == ROLE_UNKNOWN)
		s = old == TCP_SYN_SENT ? new_state(sk) : track_accept(sk);
	if (!s) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	if (old == TCP_SYN_SENT)
		s->role = ROLE_CLIENT;
	else if (s->role != ROLE_CLIENT)
		s->role = ROLE_SERVER;
	/* The time at which the segment came that is being worked on: read once by TCP, and as good as now. */
	opened(sk, tp, s, tp->tcp_clock_cache, true);
}

static __always_inline bool is_open(int state)
{
	return state != TCP_CLOSE && state != TCP_LISTEN && state != TCP_SYN_SENT && state != TCP_SYN_RECV;
}

/*
 * Whether it is a segment that closes a connection, whose time TCP has read; that costs less than to read it again. From
 * FIN_WAIT2 a process may have done so, too, but not once the peer's FIN has come.
 */
static __always_inline bool comes_with_segment(struct sock *sk, int old)
{
	return old == TCP_LAST_ACK || old == TCP_CLOSING || (old == TCP_FIN_WAIT2 && (sk->__sk_common.skc_flags >> SOCK_DONE) & 1);
}

/* Any state but LISTEN → CLOSE; from CLOSE itself where that went unseen. */
static __always_inline void closed(struct sock *sk, struct tcp_sock *tp, int old)
{
	struct series series = {.transport = IPPROTO_TCP};
	struct socket_state *s = find_state(sk);
	__u64 now, duration = 0;
	struct counts *counts;
	struct flow flow;
	__u32 error;
	bool was_opened;

	if (!s)
		return;
	now = comes_with_segment(sk, old) ? tp->tcp_clock_cache : bpf_ktime_get_ns();
	if (!s->flags && s->role != ROLE_UNKNOWN && is_open(old))
		opened(sk, tp, s, now, false);
	was_opened = s->flags & SOCKET_OPENED;
	/* What was neither opened nor asked for is the embryo of a connection that never was accepted. */
	if (s->flags & SOCKET_EXCLUDED || (!was_opened && s->role != ROLE_CLIENT))
		return;
	read_flow(&flow, sk, tp);
	if (!was_opened && (is_excluded_owner(&s->owner) || is_excluded_flow(&flow)))
		return;
	if (s->since)
		duration = now - s->since;
	error = close_error(sk, tp, old);
	if (!was_opened && !error)
		error = ERROR_OTHER;

	series.cgroup = cgroup_of(s, sk);
	series.type = is_ipv4(&flow.remote) ? 4 : 6;
	series.role = s->role;
	if (!was_opened)
		series.error = error;
	counts = counts_of(&series);
	if (counts && was_opened) {
		__sync_fetch_and_add(&counts->closed, 1);
		__sync_fetch_and_add(&counts->bytes_sent, bytes_sent(tp));
		__sync_fetch_and_add(&counts->bytes_received, bytes_received(sk, tp));
	} else if (counts) {
		__sync_fetch_and_add(&counts->failed, 1);
	}
	if (was_opened && duration)
		add_duration(&series, s->role, duration);
	emit_tcp(was_opened ? EVENT_CLOSE : EVENT_CONNECT, sk, tp, s, &flow, series.cgroup, now, duration, error);
	/* Nothing is left to tell of it. */
	s->flags = 0;
	s->role = ROLE_UNKNOWN;
}

/* Whether a connection may begin or end with a socket's new state. */
static __always_inline bool is_of_interest(int new)
{
	return new == TCP_SYN_SENT || new == TCP_LISTEN || new == TCP_SYN_RECV || new == TCP_ESTABLISHED || new == TCP_CLOSE;
}

static __always_inline void changed(struct sock *sk, int old, int new)
{
	struct tcp_sock *tp;

	if (!is_of_interest(new))
		return;
	/* NULL for an MPTCP socket: the TCP sockets below it are the connections. */
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return;
	if (new == TCP_ESTABLISHED) {
		if (old == TCP_SYN_SENT || old == TCP_SYN_RECV)
			established(sk, tp, old);
	} else if (new == TCP_SYN_RECV) {
		if (old == TCP_LISTEN)
			accepted(sk);
	} else if (new == TCP_CLOSE) {
		if (old == TCP_LISTEN) {
			untrack_listener(sk);
		} else if (old != TCP_CLOSE) {
			closed(sk, tp, old);
			delete_state(sk);
		}
	} else if (old == TCP_CLOSE) {
		if (new == TCP_SYN_SENT)
			track_connect(sk);
		else
			track_listener(sk, current_task(), false);
	}
}

/*
 * The kernel leaves a tracing program out while another run of it is under way on the same CPU, as when a softirq
 * interrupts it in process context: that befalls one of some hundred thousand connections. It is told from the next
 * change of its state that is seen, or from the end of the socket: a second function at this hook would tell it at once,
 * but run ten times for each connection instead of twice.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(connection_set_state, struct sock *sk, int old, int new)
{
	changed(sk, old, new);
	return 0;
}

/*
 * Where another task may run in the middle of a program, all that happens on the CPU meanwhile is left out, which may be
 * several changes of one socket. There this function is hooked too: what the first one has told, it finds told.
 */
SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(substitute_set_state, struct sock *sk, int old, int new)
{
	changed(sk, old, new);
	return 0;
}

SEC("tp_btf/tcp_destroy_sock")
int BPF_PROG(connection_destroyed, struct sock *sk)
{
	struct tcp_sock *tp;

	if (!find_state(sk))
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (!tp)
		return 0;
	closed(sk, tp, TCP_CLOSE);
	delete_state(sk);
	return 0;
}

/* Counts a connection that is older than the hooks. An accepted socket still has the backlog of its listener. */
static __always_inline void found(struct socket_state *s, const struct flow *flow, __u32 backlog, __u64 cgroup)
{
	struct series key = {.transport = IPPROTO_TCP};
	struct counts *counts;

	s->role = backlog ? ROLE_SERVER : ROLE_CLIENT;
	if (is_excluded_owner(&s->owner) || is_excluded_flow(flow)) {
		s->flags |= SOCKET_EXCLUDED;
		return;
	}
	s->flags |= SOCKET_OPENED;
	key.cgroup = cgroup;
	key.type = is_ipv4(&flow->remote) ? 4 : 6;
	key.role = s->role;
	counts = counts_of(&key);
	if (counts)
		__sync_fetch_and_add(&counts->found, 1);
}

static __always_inline void read_flow_slowly(struct flow *f, struct sock *sk)
{
	f->local_port = bpf_ntohs(BPF_CORE_READ((struct inet_sock *)sk, inet_sport));
	f->remote_port = bpf_ntohs(BPF_CORE_READ(sk, __sk_common.skc_dport));
	if (BPF_CORE_READ(sk, __sk_common.skc_family) == AF_INET6) {
		BPF_CORE_READ_INTO(&f->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&f->remote, sk, __sk_common.skc_v6_daddr);
	} else {
		map_ipv4(&f->local, BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr));
		map_ipv4(&f->remote, BPF_CORE_READ(sk, __sk_common.skc_daddr));
	}
}

static __always_inline void find_slowly(struct file *file, struct task_struct *task)
{
	struct sock *sk = socket_of_file_slowly(file);
	struct socket_state *s;
	struct flow flow = {};
	__u16 protocol;

	if (!sk)
		return;
	protocol = BPF_CORE_READ(sk, sk_protocol);
	if (protocol != IPPROTO_TCP && protocol != IPPROTO_MPTCP)
		return;
	s = track_found_slowly(sk, task);
	if (!s || s->flags & (SOCKET_OPENED | SOCKET_EXCLUDED) || !is_open(BPF_CORE_READ(sk, __sk_common.skc_state)))
		return;
	read_flow_slowly(&flow, sk);
	found(s, &flow, BPF_CORE_READ(sk, sk_max_ack_backlog), s->owner.cgroup);
}

/* Run once after the hooks are attached: the connections that are older than they are. */
SEC("iter/task_file")
int connection_find(struct bpf_iter__task_file *ctx)
{
	struct task_struct *task = ctx->task;
	struct socket_state *s;
	struct tcp_sock *tp;
	struct flow flow;
	struct sock *sk;

	if (!task)
		return 0;
	if (by_address) {
		find_slowly(ctx->file, task);
		return 0;
	}
	sk = socket_of_file(ctx->file);
	if (!sk)
		return 0;
	tp = bpf_skc_to_tcp_sock(sk);
	if (tp || sk->sk_protocol == IPPROTO_MPTCP)
		track_found(sk, task);
	if (!tp)
		return 0;
	s = find_state(sk);
	if (!s || s->flags & (SOCKET_OPENED | SOCKET_EXCLUDED) || !is_open(sk->__sk_common.skc_state))
		return 0;
	read_flow(&flow, sk, tp);
	found(s, &flow, sk->sk_max_ack_backlog, cgroup_of(s, sk));
	return 0;
}

/* The inode number of a socket's namespace; a struct bpf_sock is a struct sock that only whole fields are shown of. */
static __always_inline __u32 socket_netns(struct bpf_sock *sk)
{
	struct sock *address = (struct sock *)address_of(sk);

	return BPF_CORE_READ(address, __sk_common.skc_net.net, ns.inum);
}

/* Counts and reports a peer that the socket has not sent to before. */
static __always_inline void see_udp_peer(struct bpf_sock_addr *ctx, const struct flow *flow)
{
	struct series key = {.transport = IPPROTO_UDP, .role = ROLE_CLIENT};
	struct udp_peer peer = {.address = flow->remote, .port = flow->remote_port};
	struct counts *counts;
	struct bpf_sock *sk = ctx->sk;
	struct event *e;
	struct socket_state *s;
	__u64 now;
	__u8 seen = 1;

	if (!sk)
		return;
	s = storage_of(sk);
	if (!s) {
		count_loss(LOSS_MAP_FULL);
		return;
	}
	if (s->peer_port == flow->remote_port && !__builtin_memcmp(&s->peer, &flow->remote, sizeof(s->peer)))
		return;
	s->peer_port = flow->remote_port;
	s->peer = flow->remote;
	peer.cookie = bpf_get_socket_cookie(ctx);
	if (bpf_map_update_elem(&udp_peers, &peer, &seen, BPF_NOEXIST))
		return;

	/* A socket may be shared: it is the one who sends now that has a new peer. */
	read_owner(&s->owner, current_task());
	if (is_excluded_owner(&s->owner) || is_excluded_flow(flow))
		return;
	now = bpf_ktime_get_ns();
	key.cgroup = s->owner.pid ? s->owner.cgroup : bpf_get_current_cgroup_id();
	key.type = is_ipv4(&flow->remote) ? 4 : 6;
	counts = counts_of(&key);
	if (counts)
		__sync_fetch_and_add(&counts->opened, 1);

	if (!event_enabled(EVENT_CONNECT) || !within_limit())
		return;
	e = reserve_record(EVENT_CONNECT, sizeof(*e), now, false);
	if (!e)
		return;
	e->owner = s->owner;
	e->owner.cgroup = key.cgroup;
	e->flow = *flow;
	e->transport = IPPROTO_UDP;
	e->role = ROLE_CLIENT;
	e->attribution = s->owner.pid ? ATTRIBUTION_CURRENT : ATTRIBUTION_CGROUP;
	e->pad = 0;
	e->cookie = peer.cookie;
	e->duration = 0;
	e->bytes_sent = 0;
	e->bytes_received = 0;
	e->rtt = 0;
	e->rtt_min = 0;
	e->retransmits = 0;
	e->netns = socket_netns(sk);
	e->error = 0;
	e->pad2 = 0;
	submit_record(e);
}

static __always_inline int see_udp4(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	if (ctx->sk) {
		map_ipv4(&flow.local, ctx->sk->src_ip4);
		flow.local_port = ctx->sk->src_port;
	}
	map_ipv4(&flow.remote, ctx->user_ip4);
	flow.remote_port = bpf_ntohs(ctx->user_port);
	see_udp_peer(ctx, &flow);
	return 1;
}

static __always_inline int see_udp6(struct bpf_sock_addr *ctx)
{
	struct flow flow = {};
	__u32 *local = (__u32 *)flow.local.octets, *remote = (__u32 *)flow.remote.octets;

	if (ctx->protocol != IPPROTO_UDP)
		return 1;
	if (ctx->sk) {
		local[0] = ctx->sk->src_ip6[0];
		local[1] = ctx->sk->src_ip6[1];
		local[2] = ctx->sk->src_ip6[2];
		local[3] = ctx->sk->src_ip6[3];
		flow.local_port = ctx->sk->src_port;
	}
	remote[0] = ctx->user_ip6[0];
	remote[1] = ctx->user_ip6[1];
	remote[2] = ctx->user_ip6[2];
	remote[3] = ctx->user_ip6[3];
	flow.remote_port = bpf_ntohs(ctx->user_port);
	see_udp_peer(ctx, &flow);
	return 1;
}

SEC("cgroup/connect4")
int connection_connect4(struct bpf_sock_addr *ctx)
{
	return see_udp4(ctx);
}

SEC("cgroup/connect6")
int connection_connect6(struct bpf_sock_addr *ctx)
{
	return see_udp6(ctx);
}

SEC("cgroup/sendmsg4")
int connection_sendmsg4(struct bpf_sock_addr *ctx)
{
	return see_udp4(ctx);
}

SEC("cgroup/sendmsg6")
int connection_sendmsg6(struct bpf_sock_addr *ctx)
{
	return see_udp6(ctx);
}

/* A connect() to a unix address between its entry and its exit. */
struct unix_connect {
	__u32 fd;
	__u32 length;
	char path[108];
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 4096);
	__type(key, __u64); /* pid_tgid */
	__type(value, struct unix_connect);
} unix_connects SEC(".maps");

SEC("tracepoint/syscalls/sys_enter_connect")
int connection_enter_connect(struct trace_event_raw_sys_enter *ctx)
{
	__u64 thread = bpf_get_current_pid_tgid();
	const void *address = (const void *)ctx->args[1];
	__u64 length = ctx->args[2];
	struct unix_connect c = {};
	__u16 family = 0;

	if (length < sizeof(family) || bpf_probe_read_user(&family, sizeof(family), address) || family != AF_UNIX)
		return 0;
	c.fd = ctx->args[0];
	length -= sizeof(family);
	if (length > sizeof(c.path))
		length = sizeof(c.path);
	c.length = length;
	/* On a mask, because the verifier of older kernels forgets the comparison above. */
	if (bpf_probe_read_user(c.path, length & 127, address + sizeof(family)))
		return 0;
	bpf_map_update_elem(&unix_connects, &thread, &c, BPF_ANY);
	return 0;
}

/* The kernel socket behind a file descriptor of the current process, if it is a unix socket. */
static __always_inline struct sock *unix_socket(struct task_struct *task, __u32 fd)
{
	struct fdtable *table = BPF_CORE_READ(task, files, fdt);
	struct file **files = BPF_CORE_READ(table, fd), *file = NULL;
	struct socket *sock;
	struct sock *sk;

	if (fd >= BPF_CORE_READ(table, max_fds))
		return NULL;
	bpf_probe_read_kernel(&file, sizeof(file), files + fd);
	sock = BPF_CORE_READ(file, private_data);
	sk = BPF_CORE_READ(sock, sk);
	if (BPF_CORE_READ(sk, __sk_common.skc_family) != AF_UNIX)
		return NULL;
	return sk;
}

SEC("tracepoint/syscalls/sys_exit_connect")
int connection_exit_connect(struct trace_event_raw_sys_exit *ctx)
{
	struct series key = {.transport = TRANSPORT_UNIX, .role = ROLE_CLIENT};
	__u64 now, thread = bpf_get_current_pid_tgid();
	struct task_struct *task = current_task();
	struct counts *counts;
	struct unix_connect *c;
	struct owner owner = {};
	struct unix_event *e;
	struct sock *sk;
	long result = ctx->ret;

	c = bpf_map_lookup_elem(&unix_connects, &thread);
	if (!c)
		return 0;
	sk = unix_socket(task, c->fd);
	if (!sk)
		goto out;
	read_owner(&owner, task);
	if (is_excluded_owner(&owner))
		goto out;
	now = bpf_ktime_get_ns();
	key.cgroup = owner.cgroup;
	key.error = result < 0 ? -result : 0;
	counts = counts_of(&key);
	if (counts)
		__sync_fetch_and_add(result < 0 ? &counts->failed : &counts->opened, 1);

	if (!event_enabled(EVENT_CONNECT) || !within_limit())
		goto out;
	e = reserve_record(EVENT_CONNECT_UNIX, sizeof(*e), now, result < 0);
	if (!e)
		goto out;
	e->owner = owner;
	e->cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	e->netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	e->error = key.error;
	e->length = c->length;
	__builtin_memcpy(e->path, c->path, sizeof(e->path));
	submit_record(e);
out:
	bpf_map_delete_elem(&unix_connects, &thread);
	return 0;
}

EXPORT_STRUCT(event);
EXPORT_STRUCT(unix_event);
EXPORT_ENUM(event_id);
EXPORT_ENUM(failure);
char LICENSE[] SEC("license") = "Dual BSD/GPL";
