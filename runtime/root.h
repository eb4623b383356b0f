/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the root program and user space agree on.
 */
#ifndef NFT_BPF_RUNTIME_ROOT_H
#define NFT_BPF_RUNTIME_ROOT_H

/* Words of the map "nb_generation". */
enum rt_word {
	RT_WORD_GENERATION, /* of the programs that decide; its lowest bit is the slot */
	RT_WORD_RULESET,    /* the kernel's ruleset generation that they were made for */
	RT_WORD_COOKIE_LOW, /* of the network namespace: inodes are used again, cookies are not */
	RT_WORD_COOKIE_HIGH,
	RT_WORD_LAYOUT, /* RT_LAYOUT of who made the map; maps of before it was there end here */
	RT_WORDS,
};

/*
 * Of the words and of a root's maps. Another number: what is pinned is handed back by who made it, or
 * by `give` of a later version, and nothing is loaded over it.
 */
#define RT_LAYOUT 1

/* The map has one value, which holds them all: a root reads its word in place. */
struct word {
	unsigned int value, padding;
};
#define RT_WORDS_SECTION ".data.generation"

#endif
