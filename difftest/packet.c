/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Packets as byte strings: finding the transport header, setting lengths and checksums.
 */
#include "packet.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <linux/netfilter.h> /* after netinet/in.h, or they clash */
#include <stdarg.h>

struct packet *packet_new(uint8_t pf, const void *data, uint32_t len)
{
	struct packet *p = calloc(1, sizeof(*p) + len + 1);

	if (!p)
		return NULL;
	list_init(&p->node);
	p->pf = pf;
	p->len = len;
	memcpy(p->src_mac, (uint8_t[]){2, 0, 0x5e, 0x10, 0, 1}, 6);
	if (data)
		memcpy(p->data, data, len);
	return p;
}

struct packet *packet_dup(const struct packet *p)
{
	struct packet *q = malloc(sizeof(*q) + p->len + 1);

	if (!q)
		return NULL;
	memcpy(q, p, sizeof(*p) + p->len);
	list_init(&q->node);
	q->origin = p->origin ? strdup(p->origin) : NULL;
	return q;
}

void packet_free(struct packet *p)
{
	if (p)
		free(p->origin);
	free(p);
}

void packet_freep(struct packet **p)
{
	packet_free(*p);
}

void packets_free(struct list *packets)
{
	struct packet *p, *tmp;

	list_for_each_safe(p, tmp, packets, node) {
		list_remove(&p->node);
		packet_free(p);
	}
}

void packet_set_origin(struct packet *p, const char *fmt, ...)
{
	va_list ap;
	char *text = NULL;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		text = NULL;
	va_end(ap);
	free(p->origin);
	p->origin = text;
}

struct packet *packet_insert(const struct packet *p, uint32_t at, const uint8_t *bytes, uint32_t n)
{
	struct packet *q;

	if (at > p->len || p->len + n > PACKET_MAX)
		return NULL;
	q = packet_new(p->pf, NULL, p->len + n);
	if (!q)
		return NULL;
	*q = *p;
	list_init(&q->node);
	q->origin = NULL;
	q->len = p->len + n;
	memcpy(q->data, p->data, at);
	memcpy(q->data + at, bytes, n);
	memcpy(q->data + at + n, p->data + at, p->len - at);
	return q;
}

static struct packet_l4 find_l4_v4(const uint8_t *d, uint32_t len)
{
	struct packet_l4 l4 = {.proto = -1};

	if (len < 20)
		return l4;
	l4.proto = d[9];
	l4.offset = (d[0] & 0xfu) * 4;
	l4.later_fragment = (((d[6] & 0x1f) << 8) | d[7]) != 0;
	return l4;
}

static bool is_extension(uint8_t proto)
{
	return proto == IPPROTO_HOPOPTS || proto == IPPROTO_ROUTING || proto == IPPROTO_FRAGMENT ||
	       proto == IPPROTO_AH || proto == IPPROTO_DSTOPTS;
}

/*
 * ipv6_find_hdr(-1, AUTH): AH ends the walk, a later fragment ends it at its fragment header, of which
 * no more than the offset is read; where that names one more extension header, nothing is found.
 */
static struct packet_l4 find_l4_v6(const uint8_t *d, uint32_t len)
{
	struct packet_l4 l4 = {.proto = -1};
	uint32_t at = 40;
	uint8_t next;

	if (len < 40)
		return l4;
	next = d[6];
	while (is_extension(next)) {
		uint8_t this = next;

		if (at + (this == IPPROTO_ROUTING || this == IPPROTO_FRAGMENT ? 4 : 2) > len)
			return l4;
		if (this == IPPROTO_AH)
			break;
		next = d[at];
		if (this == IPPROTO_FRAGMENT) {
			l4.later_fragment = ((d[at + 2] << 8) | (d[at + 3] & 0xf8)) != 0;
			if (l4.later_fragment && is_extension(next))
				return (struct packet_l4){.proto = -1};
			if (l4.later_fragment)
				break;
			at += 8;
		} else {
			at += (d[at + 1] + 1u) * 8;
		}
	}
	l4.proto = next;
	l4.offset = at;
	return l4;
}

struct packet_l4 packet_find_l4(uint8_t pf, const uint8_t *data, uint32_t len)
{
	return pf == NFPROTO_IPV4 ? find_l4_v4(data, len) : find_l4_v6(data, len);
}

uint32_t packet_find_tcp(const struct packet *p)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);

	return l4.proto == IPPROTO_TCP && l4.offset + 20 <= p->len ? l4.offset : 0;
}

static uint32_t sum16(uint32_t sum, const uint8_t *d, uint32_t len)
{
	for (uint32_t i = 0; i + 1 < len; i += 2)
		sum += (uint32_t)(d[i] << 8 | d[i + 1]);
	if (len & 1)
		sum += (uint32_t)(d[len - 1] << 8);
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

static void put16(uint8_t *d, uint32_t v)
{
	d[0] = (uint8_t)(v >> 8);
	d[1] = (uint8_t)v;
}

static void fix_ip(struct packet *p, unsigned int fix)
{
	uint8_t *d = p->data;
	uint32_t hl = (d[0] & 0xfu) * 4;

	if (p->pf == NFPROTO_IPV6) {
		if ((fix & FIX_IP_LEN) && p->len >= 40)
			put16(d + 4, p->len - 40);
		return;
	}
	if (p->len < 20)
		return;
	if (fix & FIX_IP_LEN)
		put16(d + 2, p->len);
	if ((fix & FIX_IP_CSUM) && hl <= p->len) {
		put16(d + 10, 0);
		put16(d + 10, fold(sum16(0, d, hl)));
	}
}

static uint32_t pseudo_header(const struct packet *p, uint8_t proto, uint32_t len)
{
	uint32_t sum = proto + len;

	if (p->pf == NFPROTO_IPV4)
		return sum16(sum, p->data + 12, 8);
	return sum16(sum, p->data + 8, 32);
}

/* Offset of the checksum in a transport header, or -1; @min: bytes that must be there. */
static int csum_offset(int proto, uint32_t *min)
{
	switch (proto) {
	case IPPROTO_TCP:
		*min = 20;
		return 16;
	case IPPROTO_UDP:
	case IPPROTO_UDPLITE:
		*min = 8;
		return 6;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		*min = 4;
		return 2;
	default:
		return -1;
	}
}

static void fix_l4(struct packet *p, unsigned int fix)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	uint32_t min = 0, len;
	int at = csum_offset(l4.proto, &min);
	uint16_t sum;
	uint8_t *th;

	if (at < 0 || l4.later_fragment || l4.offset + min > p->len)
		return;
	th = p->data + l4.offset;
	len = p->len - l4.offset;
	if ((fix & FIX_L4_LEN) && l4.proto == IPPROTO_UDP)
		put16(th + 4, len);
	if (!(fix & FIX_L4_CSUM))
		return;
	put16(th + at, 0);
	sum = p->gso_type ? (uint16_t)~fold(pseudo_header(p, (uint8_t)l4.proto, len)) :
	      fold(sum16(l4.proto == IPPROTO_ICMP ? 0 :
			 pseudo_header(p, (uint8_t)l4.proto, len), th, len));
	if (sum == 0 && l4.proto == IPPROTO_UDP)
		sum = 0xffff;
	put16(th + at, sum);
}

void packet_fix(struct packet *p, unsigned int fix)
{
	fix_ip(p, fix);
	fix_l4(p, fix);
	fix_ip(p, fix & FIX_IP_CSUM);
}

static void print_flags(const uint8_t *th, FILE *out)
{
	static const char names[] = "FSRPAUEC";

	fputs(" [", out);
	for (int i = 0; i < 8; i++)
		if (th[13] & 1 << i)
			fputc(names[i], out);
	fputc(']', out);
}

static void print_l4(const struct packet *p, FILE *out)
{
	struct packet_l4 l4 = packet_find_l4(p->pf, p->data, p->len);
	const uint8_t *th = p->data + l4.offset;

	if (l4.proto < 0) {
		fputs(" truncated headers", out);
		return;
	}
	fprintf(out, " proto %d", l4.proto);
	if (l4.later_fragment) {
		fputs(" later fragment", out);
		return;
	}
	if (l4.offset + 4 > p->len)
		return;
	if (l4.proto == IPPROTO_TCP || l4.proto == IPPROTO_UDP || l4.proto == IPPROTO_SCTP ||
	    l4.proto == IPPROTO_UDPLITE || l4.proto == IPPROTO_DCCP)
		fprintf(out, " port %d > %d", th[0] << 8 | th[1], th[2] << 8 | th[3]);
	if (l4.proto == IPPROTO_ICMP || l4.proto == IPPROTO_ICMPV6)
		fprintf(out, " type %d code %d", th[0], th[1]);
	if (l4.proto == IPPROTO_TCP && l4.offset + 14 <= p->len)
		print_flags(th, out);
}

void packet_print(const struct packet *p, const char *(*dev_name)(void *arg, uint32_t ifindex),
		  void *arg, FILE *out)
{
	char src[INET6_ADDRSTRLEN] = "?", dst[INET6_ADDRSTRLEN] = "?";
	bool v4 = p->pf == NFPROTO_IPV4;

	if (p->len >= (v4 ? 20u : 40u)) {
		inet_ntop(v4 ? AF_INET : AF_INET6, p->data + (v4 ? 12 : 8), src, sizeof(src));
		inet_ntop(v4 ? AF_INET : AF_INET6, p->data + (v4 ? 16 : 24), dst, sizeof(dst));
	}
	if (p->is_local)
		fprintf(out, "from this host");
	else
		fprintf(out, "in %s", dev_name(arg, p->iif));
	if (p->oif)
		fprintf(out, " out %s", dev_name(arg, p->oif));
	if (p->mark)
		fprintf(out, " mark 0x%x", p->mark);
	if (p->is_local && (p->uid || p->gid))
		fprintf(out, " uid %u gid %u", p->uid, p->gid);
	fprintf(out, ": %s > %s", src, dst);
	print_l4(p, out);
	fprintf(out, ", %u bytes", p->len);
	if (p->gso_type)
		fprintf(out, ", gso %u", p->gso_size);
}
