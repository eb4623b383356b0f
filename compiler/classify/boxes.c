/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>

#include "blob.h"

int cls_boxes_build(struct cls_blob *b, const struct classify_shape *shape,
		    const struct classify_elem *elems, size_t n)
{
	(void)b, (void)shape, (void)elems, (void)n;
	return -EINVAL;
}
int cls_boxes_insert(struct cls_head *h, const struct classify_elem *e)
{
	(void)h, (void)e;
	return -EINVAL;
}
int cls_boxes_delete(struct cls_head *h, const struct classify_elem *e)
{
	(void)h, (void)e;
	return -EINVAL;
}
void cls_boxes_info(const struct cls_head *h, struct classify_info *ret)
{
	(void)h, (void)ret;
}
