/* Filters as python-can writes them:
 * [{"can_id": int, "can_mask": int, "extended": bool}, …]; and with
 * "inverted": bool, for frames that must not match. */
#ifndef AW_PYMOD_FILTERS_H
#define AW_PYMOD_FILTERS_H

#include "devices/queue/filter.h"
#include "pymod/device.h"

/* Parses `filters` (None, or a sequence of mappings) for `device`. `*ret` is
 * freed with PyMem_Free(). Returns the count, or -1 with TypeError or
 * ValueError naming the filter and the key. */
Py_ssize_t aw_filters_parse(PyObject *filters, DeviceObject *device,
                            struct aw_filter **ret) AW_WITH_GIL;

#endif
