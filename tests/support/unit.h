/* What cmocka wants included before it. */
#ifndef AW_TEST_UNIT_H
#define AW_TEST_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#endif
