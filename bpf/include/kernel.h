/* SPDX-License-Identifier: (BSD-2-Clause OR GPL-2.0-only) */
/*
 * The kernel types that the programs read, with only the fields that they read. CO-RE finds each field by its name in the
 * BTF of the running kernel, so order, offsets and missing members do not matter. A type with the suffix ___pre_X is how
 * the type was before Linux X.
 */
#pragma once

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

typedef _Bool bool;
#define true 1
#define false 0

/* include/linux/sched.h */
#define PF_EXITING 0x00000004
#define PF_IO_WORKER 0x00000010
#define PF_KTHREAD 0x00200000
#define TASK_DEAD 0x00000080

enum { AF_UNIX = 1, AF_INET = 2, AF_INET6 = 10, AF_NETLINK = 16 };
enum { SOCK_STREAM = 1, SOCK_DGRAM = 2 };
enum {
	S_IFMT = 0170000,
	S_IFSOCK = 0140000,
	S_IFREG = 0100000,
	S_IFBLK = 0060000,
	S_IFDIR = 0040000,
	S_IFCHR = 0020000,
	S_IFIFO = 0010000,
};
enum { SEND_SHUTDOWN = 2 };  /* bit in sk_shutdown */
enum { DEFER_CONNECT = 19 }; /* INET_FLAGS_DEFER_CONNECT: bit in inet_flags */
enum { SOCK_DONE = 1 };      /* enum sock_flags: bit in skc_flags, set when a FIN was received */
enum {
	IPPROTO_ICMP = 1,
	IPPROTO_IGMP = 2,
	IPPROTO_TCP = 6,
	IPPROTO_UDP = 17,
	IPPROTO_ICMPV6 = 58,
	IPPROTO_SCTP = 132,
	IPPROTO_MPTCP = 262
};
enum { ETH_P_IP = 0x0800, ETH_P_ARP = 0x0806, ETH_P_8021Q = 0x8100, ETH_P_IPV6 = 0x86DD, ETH_P_8021AD = 0x88A8 };

/* include/uapi/linux/if_packet.h: for whom the link layer takes a packet. What was not received is for this host, too. */
enum { PACKET_HOST, PACKET_BROADCAST, PACKET_MULTICAST, PACKET_OTHERHOST, PACKET_OUTGOING, PACKET_LOOPBACK };

/* enum nf_inet_hooks */
enum { NF_INET_LOCAL_OUT = 3 };

/* include/net/tcp_states.h */
enum {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT,
	TCP_SYN_RECV,
	TCP_FIN_WAIT1,
	TCP_FIN_WAIT2,
	TCP_TIME_WAIT,
	TCP_CLOSE,
	TCP_CLOSE_WAIT,
	TCP_LAST_ACK,
	TCP_LISTEN,
	TCP_CLOSING,
	TCP_NEW_SYN_RECV,
};

/* asm-generic/errno.h; the same on amd64 and arm64. */
enum { EINTR = 4, EEXIST = 17, EPIPE = 32, ECONNRESET = 104, EINPROGRESS = 115, EADDRNOTAVAIL = 99 };

/* include/linux/errno.h: a call that a signal has interrupted. The process sees no such result. */
enum { ERESTARTSYS = 512, ERESTART_LAST = 517 };

static __always_inline bool is_restart(long result)
{
	return result <= -ERESTARTSYS && result >= -ERESTART_LAST;
}

/* asm-generic/signal.h and signal-defs.h */
enum { SIG_IGN = 1, SA_RESTART = 0x10000000 };

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct in6_addr {
	union {
		__u8 u6_addr8[16];
		__be32 u6_addr32[4];
	} in6_u;
};

struct ns_common {
	unsigned int inum;
};

struct hlist_node {
	struct hlist_node *next;
};

struct hlist_head {
	struct hlist_node *first;
};

struct nf_hook_entries;

struct netns_nf {
	struct nf_hook_entries *hooks_ipv4[5];
	struct nf_hook_entries *hooks_ipv6[5];
};

struct linux_mib {
	unsigned long mibs[1]; /* there are more */
};

struct netns_mib {
	struct linux_mib *net_statistics; /* per CPU */
};

typedef struct {
	int counter;
} atomic_t;

struct netns_ipv4 {
	atomic_t rt_genid; /* another number after each change of the routes */
};

struct netns_ipv6 {
	atomic_t fib6_sernum; /* the same */
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
	struct netns_ipv6 ipv6;
	struct netns_nf nf;
	struct hlist_head *dev_index_head;
	struct netns_mib mib;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct kernfs_node {
	const char *name;
	__u64 id;
};

struct cgroup_root {
	int hierarchy_id;
};

struct cgroup_subsys_state {
	struct cgroup *cgroup;
	struct cgroup_subsys_state *parent;
};

struct cgroup {
	struct cgroup_subsys_state self;
	int level; /* 0: the root */
	struct kernfs_node *kn;
	struct cgroup_root *root;
};

/* From 6.1 on there are pointers to the ancestors instead. */
struct cgroup___pre_6_1 {
	__u64 ancestor_ids[1];
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

typedef struct {
	__s64 counter;
} atomic64_t;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
	unsigned long skc_flags;
	int skc_bound_dev_if; /* index of the network interface that the socket is bound to; 0: it is not */
	__u32 skc_tw_rcv_nxt; /* in TIME_WAIT */
};

typedef struct {
	int owned; /* not 0: a process works on the socket, and softirqs leave that to it */
} socket_lock_t;

struct sock_cgroup_data___pre_5_15 {
	__u64 val; /* the address of the cgroup; the two lowest bits are flags */
};

struct sock {
	struct sock_common __sk_common;
	__u16 sk_type;
	__u16 sk_protocol;
	__u8 sk_shutdown;
	struct socket *sk_socket; /* NULL: no process has the socket, any more or yet */
	socket_lock_t sk_lock;
	int sk_err;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	atomic_t sk_drops;
	struct sock_cgroup_data sk_cgrp_data;
	struct bpf_local_storage *sk_bpf_storage;
};

struct sock___pre_5_15 {
	struct sock_cgroup_data___pre_5_15 sk_cgrp_data;
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
	unsigned long inet_flags;
};

struct inet_sock___pre_6_6 {
	__u8 defer_connect : 1;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	__u8 icsk_ca_state : 5;
	__u8 icsk_pending;
	__u8 icsk_backoff;       /* time-outs in a row, also those of probes of a closed window */
	__u32 icsk_user_timeout; /* ms; 0: none */
	void *icsk_ulp_data;     /* of an upper-layer protocol such as MPTCP; NULL: there is none */
};

struct minmax_sample {
	__u32 t;
	__u32 v;
};

struct minmax {
	struct minmax_sample s[3];
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	__u32 rcv_nxt;
	__u32 segs_in;
	__u32 segs_out;
	__u32 snd_una;
	__u32 write_seq;
	__u32 retrans_stamp;       /* time of the first SYN until the connection is established; 0: none was sent */
	__u8 tcp_usec_ts : 1;      /* from 6.7 on: retrans_stamp is in µs instead of ms */
	__u8 fastopen_connect : 1; /* TCP_FASTOPEN_CONNECT */
	__u8 chrono_type : 2;      /* enum tcp_chrono: what is limiting the sender now; 0: it has nothing to send */
	__u32 chrono_start;        /* jiffies */
	__u32 chrono_stat[3];      /* jiffies of each limit: busy, receive window, send buffer */
	__u32 rcv_ooopack;         /* segments that were received out of order */
	__u32 dsack_dups;          /* segments that the peer says it has received twice */
	__u32 snd_wnd;             /* bytes that the peer has room for */
	__u64 bytes_acked;
	__u64 tcp_clock_cache; /* ns of CLOCK_MONOTONIC */
	__u64 tcp_mstamp;      /* the same in µs */
	__u64 bytes_received;
	__u32 total_retrans;
	__u32 srtt_us;
	struct minmax rtt_min;
	bool is_mptcp;
};

struct request_sock {
	struct sock_common __req_common;
};

struct mptcp_sock {
	struct sock *first; /* the TCP socket that it began with */
};

struct mptcp_subflow_context {
	__u32 request_join : 1;
	__u32 mp_join : 1;
	struct sock *conn; /* the MPTCP socket */
};

struct socket {
	short type;
	struct sock *sk;
};

struct qstr {
	const unsigned char *name;
};

struct inode;

struct dentry {
	struct dentry *d_parent;
	struct qstr d_name;
	struct inode *d_inode; /* NULL: there is no file of that name */
};

struct vfsmount {
	struct dentry *mnt_root;
};

struct mount {
	struct mount *mnt_parent;
	struct dentry *mnt_mountpoint;
	struct vfsmount mnt;
};

struct path {
	struct vfsmount *mnt;
	struct dentry *dentry;
};

struct super_block {
	unsigned long s_magic;
};

struct inode {
	unsigned short i_mode;
	struct super_block *i_sb;
};

struct file {
	struct path f_path;
	unsigned int f_mode;
	struct inode *f_inode;
	void *private_data;
};

typedef struct {
	long counter;
} atomic_long_t;

struct mm_struct {
	struct file *exe_file;
	unsigned long arg_start;
	unsigned long arg_end;
	unsigned long total_vm; /* pages */
	atomic_long_t pgtables_bytes;
};

struct signal_struct {
	atomic_t live; /* threads that have not begun to exit */
	int group_exit_code;
	unsigned int flags;
	short oom_score_adj;
};

typedef struct {
	__u32 val;
} kuid_t;

struct cred {
	kuid_t euid;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct fs_struct {
	struct path root;
	struct path pwd;
};

struct xarray {
	void *xa_head;
};

struct xa_node {
	unsigned char shift;
	void *slots[64];
};

struct idr {
	struct xarray idr_rt;
};

struct pid_namespace {
	struct idr idr;
};

struct upid {
	int nr; /* the id in ns */
	struct pid_namespace *ns;
};

struct pid {
	unsigned int level; /* of the innermost namespace, whose id is the last in numbers; 0: the host's */
	struct hlist_head tasks[1];
	struct upid numbers[1];
};

struct thread_info {
	unsigned long flags;
	__u32 status; /* on amd64 only */
};

/* The kernel's own account of a task's waits for a CPU, in ns of the run queue's clock. */
struct sched_info {
	unsigned long pcount;           /* times that it began to run */
	unsigned long long run_delay;   /* total wait; the wait that is under way is not in it */
	unsigned long long last_queued; /* when the wait under way began; 0: it does not wait */
};

struct rq {
	__u64 clock; /* ns */
};

struct cfs_rq {
	struct rq *rq;
};

struct sched_entity {
	struct cfs_rq *cfs_rq;
};

struct task_struct___pre_5_14 {
	volatile long state;
};

struct task_struct {
	unsigned int __state;
	__u64 self_exec_id;
	struct sched_entity se;
	struct sched_info sched_info;
	struct thread_info thread_info;
	unsigned int flags;
	int pid;
	int tgid;
	__u64 start_time;     /* ns of CLOCK_MONOTONIC */
	__u64 start_boottime; /* ns of CLOCK_BOOTTIME, which goes on while the machine sleeps */
	int exit_code;
	struct task_struct *real_parent;
	struct task_struct *group_leader;
	struct mm_struct *mm;
	const struct cred *cred;
	char comm[16];
	struct css_set *cgroups;
	struct files_struct *files;
	struct fs_struct *fs;
	struct signal_struct *signal;
	struct pid *thread_pid;
	struct hlist_node pid_links[1];
};

struct linux_binprm {
	const char *filename; /* as the process gave it */
	const char *interp;   /* what runs: the interpreter if filename is a script */
	int argc;             /* arguments of what runs, its name included */
};

struct Qdisc_ops {
	char id[16];
};

struct Qdisc {
	const struct Qdisc_ops *ops;
};

struct netdev_queue {
	struct Qdisc *qdisc;
};

struct net_device {
	char name[16];
	int ifindex;
	struct hlist_node index_hlist;
	possible_net_t nd_net;
	struct netdev_queue *_tx;
	unsigned char addr_len;
	const unsigned char *dev_addr;
};

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned int len;
	__u8 pkt_type : 3;
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	int skb_iif;
	unsigned char *head;
	unsigned char *data;
	unsigned int tail;
	char cb[48];
};

struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};

struct sigaction {
	void *sa_handler;
	unsigned long sa_flags;
};

struct k_sigaction {
	struct sigaction sa;
};

struct kernel_siginfo;

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_array {
	char value[1]; /* of a map per CPU: the address of the values, per CPU */
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_iter__bpf_map_elem {
	void *key; /* NULL: the end */
	void *value;
};

struct bpf_iter__bpf_sk_storage_map {
	struct sock *sk; /* NULL: the end */
	void *value;
};

struct trace_event_raw_sys_enter {
	unsigned long args[6];
};

struct trace_event_raw_sys_exit {
	long ret;
};

#pragma clang attribute pop

/*
 * Reads a field through pointers: READ(probe, task, mm, exe_file) is task->mm->exe_file. With `probe` it goes through a helper,
 * which works for any address. Without, it is a load, which is faster but needs a pointer whose type the verifier knows.
 */
#define READ(probe, src, ...) ((probe) ? BPF_CORE_READ(src, __VA_ARGS__) : ___arrow(src, __VA_ARGS__))

/* The loader sets it where the kernel has the function below (since Linux 6.2), and its types have the numbers of its own BTF. */
const volatile bool can_cast;

extern void *bpf_rdonly_cast(const void *object, __u32 type) __ksym __weak;

/*
 * The same pointer, but one that the verifier does not trust. Use it to read pointers: when a pointer is read through the current task
 * or an argument of a tp_btf function, the verifier (since Linux 6.3) looks through all types of the kernel, up to four times. That
 * takes about a millisecond, on each path of a program.
 */
#define UNTRUSTED(p) (can_cast ? (typeof(p))bpf_rdonly_cast(p, bpf_core_type_id_kernel(typeof(*(p)))) : (p))

/* The same socket as in the argument of a tp_btf function, from a helper. It is not trusted either: see UNTRUSTED. */
static __always_inline struct sock *sock_of(struct tcp_sock *tp)
{
	return (struct sock *)tp;
}

/* The address in a pointer of any kind, as a number: verifiers forbid to store or compare some kinds of pointers. */
static __always_inline __u64 address_of(const void *p)
{
	__u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &p);
	return address;
}

/* Kernel memory is in the upper half of the address space; a number that shares a union with a pointer is not. */
static __always_inline bool is_kernel_pointer(const void *p)
{
	return (long)p < 0;
}

/* Inserts a key into a map whose values are bytes. Returns whether it was there already. */
static __always_inline bool test_and_set(void *map, const void *key)
{
	__u8 present = 1;

	/* Before Linux 6.4 the helper returns an int: the upper half of the register can be anything. */
	return (int)bpf_map_update_elem(map, key, &present, BPF_NOEXIST) == -EEXIST;
}
