/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Plain elements, without libnftables: "add element inet t banned { 192.0.2.1 }".
 *
 * To ban an address is what a firewall is told all day, an element at a time, and libnftables takes
 * longer to start than all else does. So the batch that it would make is made here, byte for byte
 * but for a number that the kernel does not look at (tests/test_netlink_input.c), for addresses and
 * port numbers as they are usually written, in sets of one such field. Whatever has more to it is
 * for libnftables, and so is all that may be wrong: the words for it are nft's.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <linux/netfilter.h>

#include "../compiler/ruleset.h"
#include "nlattr.h"
#include "session.h"

#define MAX_ELEMENTS 64
/* enum datatypes of libnftables: NFTA_SET_KEY_TYPE is the user's own to the kernel. */
#define TYPE_IPADDR	  7
#define TYPE_IP6ADDR	  8
#define TYPE_INET_SERVICE 13

struct plain {
	const char *at; /* in the text */
	bool adds;
	const struct set *set;
	size_t n;
	uint8_t keys[MAX_ELEMENTS][sizeof(struct in6_addr)];
};

/* The next word of characters that @belongs tells, behind blanks; false: none, or too long. */
static bool take_word(struct plain *p, bool (*belongs)(char), char *ret, size_t size)
{
	size_t n = 0;

	p->at += strspn(p->at, " \t");
	while (n < size - 1 && belongs(p->at[n]))
		n++;
	if (n == 0 || belongs(p->at[n]))
		return false;
	memcpy(ret, p->at, n);
	ret[n] = '\0';
	p->at += n;
	return true;
}

static bool take_char(struct plain *p, char c)
{
	p->at += strspn(p->at, " \t");
	if (*p->at != c)
		return false;
	p->at++;
	return true;
}

static bool in_name(char c)
{
	return isascii(c) && (isalnum(c) || c == '_' || c == '-' || c == '.');
}

static bool in_literal(char c)
{
	return isascii(c) && (isxdigit(c) || c == '.' || c == ':');
}

static bool take_verb(struct plain *p)
{
	char word[16];

	if (!take_word(p, in_name, word, sizeof(word)))
		return false;
	p->adds = strcmp(word, "add") == 0;
	return (p->adds || strcmp(word, "delete") == 0) &&
	       take_word(p, in_name, word, sizeof(word)) && strcmp(word, "element") == 0;
}

static int family_of(const char *word)
{
	static const struct {
		const char *word;
		int family;
	} known[] = {{"ip", NFPROTO_IPV4},     {"ip6", NFPROTO_IPV6},	    {"inet", NFPROTO_INET},
		     {"arp", NFPROTO_ARP},     {"bridge", NFPROTO_BRIDGE},  {"netdev", NFPROTO_NETDEV}};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcmp(word, known[i].word) == 0)
			return known[i].family;
	return -1;
}

/* Bytes of a key, 0: of another type. The kernel does not hold the length against the type. */
static uint32_t type_len(uint32_t type)
{
	switch (type) {
	case TYPE_IPADDR:
		return sizeof(struct in_addr);
	case TYPE_IP6ADDR:
		return sizeof(struct in6_addr);
	case TYPE_INET_SERVICE:
		return sizeof(in_port_t);
	}
	return 0;
}

/* A set of which an element is its key and nothing more. */
static bool is_plain(const struct set *s)
{
	return !(s->flags & ~(uint32_t)NFT_SET_TIMEOUT) && s->n_fields <= 1 && s->exprs.n == 0 &&
	       s->key_len == type_len(s->key_type);
}

static bool take_set(struct plain *p, const struct ruleset *rs)
{
	char family[NFT_NAME_MAXLEN], table[NFT_NAME_MAXLEN], set[NFT_NAME_MAXLEN];
	const struct table *t;

	if (!take_word(p, in_name, family, sizeof(family)) || family_of(family) < 0 ||
	    !take_word(p, in_name, table, sizeof(table)) ||
	    !take_word(p, in_name, set, sizeof(set)))
		return false;
	t = ruleset_find_table(rs, (uint8_t)family_of(family), table);
	p->set = t ? table_find_set(t, set) : NULL;
	return p->set && is_plain(p->set);
}

/* Decimal, without what C or nft would take for octal. */
static bool port_of(const char *word, uint8_t *ret)
{
	unsigned long port = strtoul(word, NULL, 10);

	if (strspn(word, "0123456789") != strlen(word) || strlen(word) > 5 || port > UINT16_MAX ||
	    (word[0] == '0' && word[1]))
		return false;
	ret[0] = (uint8_t)(port >> 8);
	ret[1] = (uint8_t)port;
	return true;
}

static bool take_key(struct plain *p)
{
	char word[INET6_ADDRSTRLEN];
	uint8_t *key;

	if (p->n == MAX_ELEMENTS || !take_word(p, in_literal, word, sizeof(word)))
		return false;
	key = p->keys[p->n++];
	switch (p->set->key_type) {
	case TYPE_IPADDR:
		return inet_pton(AF_INET, word, key) == 1;
	case TYPE_IP6ADDR:
		return inet_pton(AF_INET6, word, key) == 1;
	case TYPE_INET_SERVICE:
		return port_of(word, key);
	}
	return false;
}

static bool take_keys(struct plain *p)
{
	if (!take_char(p, '{'))
		return false;
	do {
		if (!take_key(p))
			return false;
	} while (take_char(p, ','));
	return take_char(p, '}') && !p->at[strspn(p->at, " \t\n;")];
}

/* nftnl_set_elems_nlmsg_build_payload_iter() */
static void put_message(struct nlbuf *b, const struct plain *p)
{
	const struct nlmsg_head head = {
		.type = NFNL_SUBSYS_NFTABLES << 8 |
			(p->adds ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM),
		.flags = (uint16_t)(NLM_F_REQUEST | (p->adds ? NLM_F_CREATE : 0)),
		.seq = 1,
		.family = p->set->table->family,
	};
	size_t list, elem, key;

	nlbuf_begin(b, &head);
	nlbuf_put_str(b, NFTA_SET_ELEM_LIST_TABLE, p->set->table->name);
	nlbuf_put_str(b, NFTA_SET_ELEM_LIST_SET, p->set->name);
	list = nlbuf_nest(b, NFTA_SET_ELEM_LIST_ELEMENTS);
	for (size_t i = 0; i < p->n; i++) {
		elem = nlbuf_nest(b, (uint16_t)(i + 1));
		key = nlbuf_nest(b, NFTA_SET_ELEM_KEY);
		nlbuf_put(b, NFTA_DATA_VALUE, p->keys[i], p->set->key_len);
		nlbuf_nest_end(b, key);
		nlbuf_nest_end(b, elem);
	}
	nlbuf_nest_end(b, list);
	nlbuf_end(b);
}

int nft_capture_plain(const char *commands, const struct ruleset *rs, struct batch *ret)
{
	struct nlbuf b = {0};
	struct plain p = {.at = commands};

	if (!take_verb(&p) || !take_set(&p, rs) || !take_keys(&p))
		return -EOPNOTSUPP;
	put_message(&b, &p);
	if (b.failed) {
		nlbuf_fini(&b);
		return -ENOMEM;
	}
	*ret = (struct batch){.data = b.data, .len = b.len};
	return 0;
}
