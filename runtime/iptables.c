/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Legacy iptables' own hooks. They are at priorities that nftables' chains like too, and of hooks of
 * one priority the one registered later runs first: which that is nobody tells.
 */
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include <linux/netfilter_ipv4.h>
#include <linux/netfilter_ipv4/ip_tables.h>

#include "place.h"
#include "priv.h"

static const char *table_at(int32_t priority)
{
	switch (priority) {
	case NF_IP_PRI_RAW:
		return "raw";
	case NF_IP_PRI_MANGLE:
		return "mangle";
	case NF_IP_PRI_FILTER:
		return "filter";
	case NF_IP_PRI_SECURITY:
		return "security";
	default:
		return NULL;
	}
}

bool iptables_is_at(uint8_t pf, int32_t priority)
{
	const char *table = table_at(priority);
	FILE *f = table ? fopen(pf == NFPROTO_IPV4 ? "/proc/thread-self/net/ip_tables_names" :
						     "/proc/thread-self/net/ip6_tables_names", "re") :
			  NULL;
	bool found = false;
	char line[64];

	while (f && !found && fgets(line, sizeof(line), f)) {
		line[strcspn(line, "\n")] = '\0';
		found = strcmp(table, line) == 0;
	}
	if (f)
		fclose(f);
	return found;
}

/*
 * One that was only looked at has a policy for each of its hooks and an entry that ends it.
 * IP6T_SO_GET_INFO and its answer are the same (ip6_tables.h).
 */
bool iptables_has_rules_at(uint8_t pf, int32_t priority, uint8_t hook)
{
	const bool v4 = pf == NFPROTO_IPV4;
	struct ipt_getinfo info = { 0 };
	socklen_t len = sizeof(info);
	bool known;
	int fd;

	if (!iptables_is_at(pf, priority))
		return false;
	snprintf(info.name, sizeof(info.name), "%s", table_at(priority));
	fd = socket(v4 ? AF_INET : AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	known = fd >= 0 && getsockopt(fd, v4 ? IPPROTO_IP : IPPROTO_IPV6, IPT_SO_GET_INFO, &info,
				      &len) == 0;
	if (fd >= 0)
		close(fd);
	if (!known)
		return true;
	return info.valid_hooks & 1u << hook &&
	       info.num_entries != (unsigned int)__builtin_popcount(info.valid_hooks) + 1;
}
