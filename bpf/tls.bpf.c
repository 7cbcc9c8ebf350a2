// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * OpenSSL's reads and writes, 1.1 and 3: SSL_read, SSL_write, their _ex forms, SSL_free and SSL_clear.
 *
 * A call is looked at when it returns: only then is it known that it moved something, and a
 * read's bytes are there. The programs may be preempted, so they use room of their thread.
 */
#include "tls.h"

static __always_inline void tls_enter(struct pt_regs *regs, const __u64 *moved, bool is_write)
{
	struct task_struct *current_task = bpf_get_current_task_btf();
	struct tls_task *task;

	if (is_passed_by(current_task))
		return;
	task = bpf_task_storage_get(&tls_tasks, current_task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);
	if (!task)
		return;
	task->key.ssl = regs->di;
	task->key.tgid = bpf_get_current_pid_tgid() >> 32;
	task->buffer = (const char *)regs->si;
	task->moved = moved;
	task->sent = 0;
	task->got = 0;
	task->time = is_write ? bpf_ktime_get_boot_ns() : 0;
}

/* n bytes of plaintext went through the library. The lock is held. */
static __always_inline void tls_on_plaintext(struct pump *p, const struct tls_task *task, __u32 n, bool is_write)
{
	p->call->bytes.base = task->buffer;
	p->call->bytes.here = n;
	p->call->bytes.left = n;
	p->call->bytes.vectors = 0;
	p->call->bytes.next = NULL;
	p->call->bytes.readable = 1;
	p->call->rx = !is_write;
	p->call->lost = 0;
	p->call->evidence = p->http->evidence;
	http_on_other_bytes(p);
}

/* Counts the call's ciphertext, now that it is known what it is of. The lock is held. */
static __always_inline void tls_on_ciphertext(struct pump *p, const struct tls_task *task)
{
	__u64 time;

	if (p->http->phase != HTTP_ONE)
		return;
	time = bpf_ktime_get_boot_ns();
	if (task->got)
		count_bytes(p->http, p->record, p->http->request_is_rx, time, task->got);
	if (task->sent)
		count_bytes(p->http, p->record, !p->http->request_is_rx, time, task->sent);
}

/* The bytes that a call moved that returned `result`. */
static __always_inline __u32 tls_moved(const struct tls_task *task, int result)
{
	__u64 moved = result > 0 ? result : 0;

	if (task->moved && (result != 1 || bpf_probe_read_user(&moved, sizeof(moved), task->moved)))
		return 0;
	return moved < 1 << 30 ? moved : 0;
}

static __always_inline void tls_leave(struct pt_regs *regs, bool is_write)
{
	struct tls_task *task = bpf_task_storage_get(&tls_tasks, bpf_get_current_task_btf(), NULL, 0);
	struct tls_conn *tls;
	struct tls_key key;
	struct pump p;
	bool is_pair;
	__u32 n;

	if (!task || !task->key.ssl)
		return;
	key = task->key;
	task->key.ssl = 0;
	n = tls_moved(task, (int)regs->ax);
	is_pair = !is_write && task->received == 1;
	if (!is_write)
		task->received = 0;
	else if (n)
		task->wrote = key.ssl;
	if (!n && !is_pair && !task->got && !task->sent)
		return;
	tls = tls_find(&key);
	if (!tls || tls->http.phase == HTTP_NOT)
		return;
	if (!http_lock(&tls->http)) {
		stat_add(WEIR_STAT_HTTP_CONTENDED, 1);
		return;
	}
	if (is_pair)
		tls_tie(tls, task, TIE_PAIR);
	p.http = &tls->http;
	p.record = &tls->record;
	p.scratch = &task->scratch;
	p.call = &task->scratch.call;
	p.call->time = task->time ? task->time : bpf_ktime_get_boot_ns();
	if (n)
		tls_on_plaintext(&p, task, n, is_write);
	tls_on_ciphertext(&p, task);
	http_unlock(&tls->http);
}

SEC("uprobe")
int weir_ssl_read(struct pt_regs *regs)
{
	tls_enter(regs, NULL, false);
	return 0;
}

SEC("uprobe")
int weir_ssl_read_ex(struct pt_regs *regs)
{
	tls_enter(regs, (const __u64 *)regs->cx, false);
	return 0;
}

SEC("uprobe")
int weir_ssl_write(struct pt_regs *regs)
{
	tls_enter(regs, NULL, true);
	return 0;
}

SEC("uprobe")
int weir_ssl_write_ex(struct pt_regs *regs)
{
	tls_enter(regs, (const __u64 *)regs->cx, true);
	return 0;
}

SEC("uretprobe")
int weir_ssl_read_done(struct pt_regs *regs)
{
	tls_leave(regs, false);
	return 0;
}

SEC("uretprobe")
int weir_ssl_write_done(struct pt_regs *regs)
{
	tls_leave(regs, true);
	return 0;
}

/* The program gives the connection up, or uses its object for another one. */
SEC("uprobe")
int weir_ssl_free(struct pt_regs *regs)
{
	struct tls_key key = {.ssl = regs->di, .tgid = bpf_get_current_pid_tgid() >> 32};
	struct tls_conn *tls = bpf_map_lookup_elem(&tls_conns, &key);

	if (!tls)
		return 0;
	if (http_lock(&tls->http)) {
		http_end(&tls->http, &tls->record);
		http_unlock(&tls->http);
	}
	bpf_map_delete_elem(&tls_conns, &key);
	return 0;
}

struct file_key {
	__u64 inode, device;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct file_key);
	__type(value, __u8);
} files_run SEC(".maps");

/* A file that was not run before may bring a TLS library along. */
SEC("tp_btf/sched_process_exec")
int BPF_PROG(weir_exec, struct task_struct *task, int old_pid, struct linux_binprm *binprm)
{
	struct inode *inode = binprm->file->f_inode;
	struct file_key key = {.inode = inode->i_ino, .device = inode->i_sb->s_dev};
	__u32 pid = task->tgid;
	__u8 one = 1;

	bpf_map_delete_elem(&tls_unknown, &pid);
	if (bpf_map_lookup_elem(&files_run, &key))
		return 0;
	bpf_map_update_elem(&files_run, &key, &one, BPF_ANY);
	tls_report_program(pid);
	return 0;
}

/* Each interval: what was added up. */
SEC("iter/bpf_map_elem")
int weir_tls_walk(struct bpf_iter__bpf_map_elem *ctx)
{
	struct tls_key *at = ctx->key, key;
	struct tls_conn *tls;

	if (!at)
		return 0;
	key = *at;
	tls = bpf_map_lookup_elem(&tls_conns, &key);
	if (tls && tls->tie)
		http_report_sum(&tls->http, &tls->record);
	return 0;
}
