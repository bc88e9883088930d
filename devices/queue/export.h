/* What a loadable driver may call: the few functions that the daemon and the
 * extension show to the files they load. Everything else stays hidden. */
#ifndef AW_EXPORT_H
#define AW_EXPORT_H

#define AW_EXPORT __attribute__((visibility("default")))

#endif
