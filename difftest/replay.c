/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Writing packets as text and reading them back. What is not told is zero.
 */
#include "replay.h"

#include <errno.h>
#include <netinet/in.h>
#include <linux/netfilter.h>

static const char MARK[] = "# packet ";

static const char *const ct_names[] = {
	[CT_AS_IT_IS] = "any",	       [CT_NEW] = "new",	 [CT_ESTABLISHED] = "established",
	[CT_RELATED] = "related", [CT_INVALID] = "invalid",
};

/* Numbers of a packet by name. */
struct field {
	const char *name;
	size_t offset, size;
};
#define FIELD(member) {#member, offsetof(struct packet, member), sizeof(((struct packet *)0)->member)}
static const struct field fields[] = {
	FIELD(mark),	 FIELD(priority), FIELD(uid),	   FIELD(gid),	  FIELD(vlan),
	FIELD(gso_type), FIELD(gso_size), FIELD(hdr_len), FIELD(ct_mark), FIELD(ct_status),
};

static uint32_t field_get(const struct packet *p, const struct field *f)
{
	uint32_t v = 0; /* little endian and big: by size */
	const void *at = (const char *)p + f->offset;

	if (f->size == 1)
		v = *(const uint8_t *)at;
	else if (f->size == 2)
		v = *(const uint16_t *)at;
	else
		v = *(const uint32_t *)at;
	return v;
}

static void field_set(struct packet *p, const struct field *f, uint32_t v)
{
	void *at = (char *)p + f->offset;

	if (f->size == 1)
		*(uint8_t *)at = (uint8_t)v;
	else if (f->size == 2)
		*(uint16_t *)at = (uint16_t)v;
	else
		*(uint32_t *)at = v;
}

static void print_hex(const uint8_t *d, uint32_t n, FILE *out)
{
	for (uint32_t i = 0; i < n; i++)
		fprintf(out, "%02x", d[i]);
}

void replay_print(const struct lab *lab, const struct packet *p, FILE *out)
{
	const struct lab_dev *in = lab_dev_by_index(lab, p->iif);
	const struct lab_dev *dev = lab_dev_by_index(lab, p->oif);

	fprintf(out, "%s%s", MARK, p->pf == NFPROTO_IPV4 ? "ip" : "ip6");
	if (!p->is_local && in)
		fprintf(out, " in %s", in->name);
	if (dev)
		fprintf(out, " out %s", dev->name);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (field_get(p, &fields[i]))
			fprintf(out, " %s %u", fields[i].name, field_get(p, &fields[i]));
	if (p->ct)
		fprintf(out, " ct %s", ct_names[p->ct]);
	if (p->ct_reply)
		fputs(" reply", out);
	fputs(" smac ", out);
	print_hex(p->src_mac, 6, out);
	if (p->own_dst_mac) {
		fputs(" dmac ", out);
		print_hex(p->dst_mac, 6, out);
	}
	fputs(" data ", out);
	print_hex(p->data, p->len, out);
	fputc('\n', out);
}

/* ---- reading ---- */

/* The next word of a line: its length, 0 at the end. */
static size_t next_word(const char **s)
{
	*s += strspn(*s, " \t");
	return strcspn(*s, " \t\r\n");
}

static bool word_is(const char *s, size_t n, const char *word)
{
	return strlen(word) == n && strncmp(s, word, n) == 0;
}

static int nibble(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool read_hex(const char *s, size_t n, uint8_t *out)
{
	for (size_t i = 0; i + 1 < n; i += 2) {
		int hi = nibble(s[i]), lo = nibble(s[i + 1]);

		if (hi < 0 || lo < 0)
			return false;
		out[i / 2] = (uint8_t)(hi << 4 | lo);
	}
	return n % 2 == 0;
}

static const struct lab_dev *read_dev(const struct lab *lab, const char *s, size_t n)
{
	char name[IFNAMSIZ];

	if (n >= sizeof(name))
		return NULL;
	memcpy(name, s, n);
	name[n] = 0;
	return lab_dev_by_name(lab, name);
}

static bool read_ct(struct packet *p, const char *s, size_t n)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(ct_names); i++)
		if (word_is(s, n, ct_names[i])) {
			p->ct = i;
			return true;
		}
	return false;
}

static bool read_number(struct packet *p, const char *key, size_t key_len, const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (word_is(key, key_len, fields[i].name)) {
			field_set(p, &fields[i], (uint32_t)strtoul(s, NULL, 0));
			return true;
		}
	return false;
}

/* One key with its value; false: not understood. */
static bool read_pair(const struct lab *lab, struct packet *p, const char *key, size_t key_len,
		      const char *s, size_t n)
{
	const struct lab_dev *d;

	if (word_is(key, key_len, "in") || word_is(key, key_len, "out")) {
		d = read_dev(lab, s, n);
		if (!d)
			return false;
		if (key[0] == 'i') {
			p->iif = d->ifindex;
			p->is_local = false;
		} else {
			p->oif = d->ifindex;
		}
		return true;
	}
	if (word_is(key, key_len, "ct"))
		return read_ct(p, s, n);
	if (word_is(key, key_len, "smac"))
		return n == 12 && read_hex(s, n, p->src_mac);
	if (word_is(key, key_len, "dmac")) {
		p->own_dst_mac = true;
		return n == 12 && read_hex(s, n, p->dst_mac);
	}
	if (word_is(key, key_len, "data"))
		return n == p->len * 2u && read_hex(s, n, p->data);
	return read_number(p, key, key_len, s);
}

static uint32_t data_len(const char *line)
{
	const char *s = strstr(line, " data "), *end = line + strcspn(line, "\n");

	return s && s < end ? (uint32_t)strcspn(s + 6, " \t\r\n") / 2 : 0;
}

static struct packet *read_packet(const struct lab *lab, const char *line)
{
	const char *s = line + strlen(MARK), *key;
	size_t n = next_word(&s), key_len;
	uint32_t len = data_len(line);
	struct packet *p;

	if (len > PACKET_MAX)
		return NULL;
	p = packet_new(word_is(s, n, "ip6") ? NFPROTO_IPV6 : NFPROTO_IPV4, NULL, len);
	if (!p)
		return NULL;
	p->is_local = true;
	s += n;
	while ((key_len = next_word(&s))) {
		key = s;
		s += key_len;
		if (word_is(key, key_len, "reply")) {
			p->ct_reply = true;
			continue;
		}
		n = next_word(&s);
		if (!n || !read_pair(lab, p, key, key_len, s, n)) {
			packet_free(p);
			return NULL;
		}
		s += n;
	}
	return p;
}

static const char *next_packet(const char *line)
{
	while (line && strncmp(line, MARK, strlen(MARK)) != 0) {
		line = strchr(line, '\n');
		line = line ? line + 1 : NULL;
	}
	return line;
}

int replay_packets(const struct lab *lab, const char *text, struct diags *ds,
		   struct list *packets)
{
	const char *line = text;

	for (unsigned int n = 1; (line = next_packet(line)); line++, n++) {
		struct packet *p = read_packet(lab, line);

		if (!p) {
			diag_add(ds, DIAG_ERROR, "difftest-packet", NULL,
				 "packet %u of the file is not understood", n);
			return -EINVAL;
		}
		packet_set_origin(p, "packet %u of the file", n);
		list_append(packets, &p->node);
	}
	return 0;
}

int replay_devices(struct lab *lab, const char *text, struct diags *ds)
{
	const char *line = text;

	for (; (line = next_packet(line)); line++) {
		const char *s = line + strlen(MARK);
		size_t n;

		for (n = next_word(&s); n; n = next_word(&s)) {
			bool dev_follows = word_is(s, n, "in") || word_is(s, n, "out");
			char name[IFNAMSIZ] = "";
			int err;

			s += n;
			if (!dev_follows)
				continue;
			n = next_word(&s);
			if (n && n < sizeof(name))
				memcpy(name, s, n);
			err = name[0] ? lab_add_dev(lab, name, 0, ds) : 0;
			if (err)
				return err;
		}
	}
	return 0;
}
