/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session: libnftables' way to the kernel goes through here. At most one per thread is active;
 * interpose.c asks it what to do with libnftables' socket calls. Questions are answered, or passed to the
 * kernel (session_ask.c); the batch is kept (session_batch.c).
 */
#ifndef NFT_BPF_NETLINK_SESSION_H
#define NFT_BPF_NETLINK_SESSION_H

#include <nftables/libnftables.h>
#include <sys/socket.h>

#include "nfnl.h"
#include "nlattr.h"

struct nft_session;

/* What takes the place of libmnl's struct mnl_socket. */
struct session_socket {
	struct nft_session *session;
	struct session_socket *next;
	int protocol;
	int fd;
	bool is_real;	 /* fd is a netlink socket; else one end of a pair that nobody writes to */
	int peer;	 /* the other end, or -1 */
	uint8_t *answer; /* ours, to be received */
	size_t answer_len, answer_pos;
};

struct nft_session {
	enum nft_kernel kernel;
	const struct ruleset *model; /* NULL with NFT_KERNEL_REAL: the kernel is asked */
	const struct batch *prelude;
	int (*rewrite)(void *arg, struct batch *b); /* nft_input.rewrite */
	void *rewrite_arg;
	struct ruleset *judge; /* nft_input.judge */
	int (*complete)(void *arg, const struct ruleset **ret); /* nft_input.complete; NULL: it was */
	void *complete_arg;
	bool numbered;		     /* serve.h */
	bool unchecked, heads_only, adds_only; /* of struct nft_input */
	struct session_socket *sockets;
	struct nlbuf captured;	     /* the batch's messages */
	bool has_batch;
	unsigned int n_generations; /* how often libnftables asked for the generation */
	int prelude_error;	     /* what the kernel said to the prelude */
	struct nft_session *outer;   /* active before */
};

void session_begin(struct nft_session *s);
void session_end(struct nft_session *s);

/* For interpose.c. The active session of this thread's socket @nl or descriptor @fd, or NULL. */
struct session_socket *session_find_socket(const void *nl);
struct session_socket *session_find_fd(int fd);
bool session_is_active(void);
/*
 * Whether libnftables has its socket from here: asked before anything is run, because otherwise it
 * would commit to the kernel what was only to be looked at.
 */
bool session_is_in_between(const struct nft_session *s);

/* The ruleset is not any more what a model of heads says (nft_session.heads_only): nothing was captured. */
bool session_moved(const struct nft_session *s);

struct session_socket *session_socket_open(int protocol);
void session_socket_close(struct session_socket *s);
void session_drop_answer(struct session_socket *s);

/* ---- session_ask.c ---- */

ssize_t session_send(struct session_socket *s, const void *data, size_t len);
ssize_t session_receive(struct session_socket *s, void *buffer, size_t len);

/* ---- session_batch.c ---- */

ssize_t session_send_batch(struct session_socket *s, const struct msghdr *msg, int flags);
/* An error of the prelude: libnftables finds no command that it belongs to, so it is kept here. */
void session_note_errors(struct session_socket *s, const uint8_t *data, size_t len);

/* refusals.c: puts into the socket what @rs, which it changes, refuses of the session's batch. */
int refusals_send(const struct session_socket *s, struct ruleset *rs);

#endif
