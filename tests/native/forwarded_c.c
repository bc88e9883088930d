#define MODULE forwarded_c
#include "forwarded.h"
