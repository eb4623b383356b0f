/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Constants in records of templates.
 */
#include "template.h"

void template_put_const(uint32_t *words, const uint8_t *bytes, uint32_t width)
{
	for (uint32_t at = 0; at < width; at += 8) {
		uint32_t n = MIN(width - at, 8u);
		uint64_t number = 0;

		for (uint32_t i = 0; i < n; i++)
			number = number << 8 | bytes[at + i];
		if (n <= 4)
			*words = (uint32_t)number;
		else
			memcpy(words, &number, sizeof(number));
		words += 2;
	}
}

void template_get_const(const uint32_t *words, uint32_t width, uint8_t *ret)
{
	for (uint32_t at = 0; at < width; at += 8) {
		uint32_t n = MIN(width - at, 8u);
		uint64_t number = *words;

		if (n > 4)
			memcpy(&number, words, sizeof(number));
		for (uint32_t i = n; i-- > 0; number >>= 8)
			ret[at + i] = (uint8_t)number;
		words += 2;
	}
}
