/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel fields that Weir reads, and no others.
 *
 * Declaring them here, instead of dumping a vmlinux.h, lets the build run on a
 * machine without BTF and shows at a glance what the programs depend on. Order
 * and offsets do not matter: preserve_access_index makes libbpf find each field
 * by name in the running kernel's BTF.
 */
#ifndef WEIR_KERNEL_TYPES_H
#define WEIR_KERNEL_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/bpf.h>

/* Values of the kernel's own interfaces, stable since long before BTF. */
#define AF_INET 2
#define E2BIG 7
#define AF_INET6 10
#define IPPROTO_TCP 6
#define IPPROTO_UDP 17
#define MSG_PEEK 2

enum tcp_states {
	TCP_ESTABLISHED = 1,
	TCP_SYN_SENT = 2,
	TCP_SYN_RECV = 3,
	TCP_FIN_WAIT1 = 4,
	TCP_FIN_WAIT2 = 5,
	TCP_TIME_WAIT = 6,
	TCP_CLOSE = 7,
	TCP_CLOSE_WAIT = 8,
	TCP_LAST_ACK = 9,
	TCP_LISTEN = 10,
	TCP_CLOSING = 11,
};

#define PF_KTHREAD 0x00200000

enum sock_flags {
	SOCK_DONE = 1, /* the peer's FIN was received in order */
};

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

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

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
	unsigned long skc_flags;
};

typedef struct {
	int owned;
} socket_lock_t;

struct sock_extended_err {
	__u32 ee_errno;
};

/* What a queued error keeps in its packet's cb. */
struct sock_exterr_skb {
	struct sock_extended_err ee;
};

struct sk_buff {
	char cb[48];
};

struct sk_buff_head {
	struct sk_buff *prev;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_error_queue;
	socket_lock_t sk_lock;
	__u16 sk_protocol;
	unsigned char sk_userlocks : 4; /* no bitfield since 6.8; the relocation tells */
	int sk_err;
	int sk_err_soft;
	void *sk_bpf_storage;
};

struct request_sock {
	struct sock_common __req_common;
};

struct tcp_sock {
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_acked;
	__u64 bytes_received;
	__u64 tcp_mstamp; /* when a packet was sent or received last: monotonic, us */
	__u32 rcv_nxt;
	__u32 copied_seq;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 srtt_us;
	__u32 mdev_us;
	struct {
		__u64 time; /* when it was established, until its program reads: monotonic, us */
	} rcvq_space;
	__u32 total_retrans;
	__u32 segs_out;
};

struct super_block {
	unsigned int s_dev;
};

struct inode {
	unsigned long i_ino;
	struct super_block *i_sb;
};

struct file {
	struct inode *f_inode;
};

struct linux_binprm {
	struct file *file;
};

struct socket {
	struct sock *sk;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	struct css_set *cgroups;
	char comm[16];
};

struct pt_regs {
	unsigned long di;
	unsigned long cx;
	unsigned long ax;
	unsigned long dx;
	unsigned long si;
	unsigned long orig_ax;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	struct file *file;
};

struct bpf_map;

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__bpf_map_elem {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	void *key;
	void *value;
};

#pragma clang attribute pop

/* Layouts of the system call interface: fixed by the ABI, so not relocated. */
struct user_iovec {
	void *base;
	unsigned long len;
};

struct user_msghdr {
	void *name;
	int namelen;
	int pad;
	struct user_iovec *iov;
	unsigned long iovlen;
};

#endif /* WEIR_KERNEL_TYPES_H */
