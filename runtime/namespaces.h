/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Network namespaces: which have state of ours, what they are called, whether anybody can reach them.
 */
#ifndef NFT_BPF_RUNTIME_NAMESPACES_H
#define NFT_BPF_RUNTIME_NAMESPACES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Inodes of those that have a directory of ours on this bpffs; malloc'ed, ascending. */
int netns_with_state(const char *base, ino_t **ret, size_t *ret_n);
/* Its name in /run/netns, malloc'ed; NULL when it has none. */
int netns_name(ino_t netns, char **ret);

/*
 * Those that can be reached: by a process or thread in them, a descriptor of one, or a mount (that is
 * what a name is). Ascending; @ret_hidden: how many processes could not be looked into.
 */
int netns_alive(ino_t **ret, size_t *ret_n, unsigned int *ret_hidden);
bool netns_is_among(ino_t netns, const ino_t *sorted, size_t n);

#endif
