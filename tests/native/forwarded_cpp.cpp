#define MODULE forwarded_cpp
#include "forwarded.h"
