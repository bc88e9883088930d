/* Drivers that exist only as tables, in place of devices/drivers.c: tests of
 * options and configuration do not hang on what the real ones take. Linked as
 * an object, they win over those in the library. */
#ifndef AW_FAKE_DRIVERS_H
#define AW_FAKE_DRIVERS_H

/* Columns of aw_device_config.values. */
enum fake_wire_option {
    FAKE_WIRE_PORT,   /* text, required; the main option */
    FAKE_WIRE_FD,     /* bool, no fallback */
    FAKE_WIRE_BUFFER, /* int, "64k", 1 to 1M */
    FAKE_WIRE_MODE,   /* fast or slow; check() refuses slow with fd */
    FAKE_WIRE_COUNT,
};

enum fake_tape_option {
    FAKE_TAPE_FILE,  /* path, required; the main option */
    FAKE_TAPE_SPEED, /* number, "1.5", above 0 */
    FAKE_TAPE_COUNT,
};

/* Besides "wire" and "tape" there is "bare", with no options at all. */

#endif
