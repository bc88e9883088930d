/* Edges of one GPIO line, by the kernel's GPIO interface, version 2.
 *
 * The kernel numbers them and holds back AW_GPIO_EDGES_HELD of them; what it
 * has to let go shows as a gap in the numbers, so that no edge is missed
 * unnoticed. */
#ifndef AW_GPIO_EDGES_H
#define AW_GPIO_EDGES_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/queue/error.h"
#include "devices/queue/roles.h"

/* The most that the kernel keeps of a line. */
#define AW_GPIO_EDGES_HELD 1024u

/* Edges taken from the kernel at once. */
#define AW_GPIO_EDGES_BATCH 64u

enum aw_gpio_edge { AW_GPIO_RISING, AW_GPIO_FALLING, AW_GPIO_BOTH };

enum aw_gpio_bias {
    AW_GPIO_BIAS_AS_IS,
    AW_GPIO_BIAS_PULL_UP,
    AW_GPIO_BIAS_PULL_DOWN,
    AW_GPIO_BIAS_DISABLED,
};

struct aw_gpio_settings {
    const char *line; /* its name, or CHIP:OFFSET, as gpiochip0:17 */
    enum aw_gpio_edge edge;
    enum aw_gpio_bias bias;
};

struct aw_gpio_line {
    int fd; /* readable when there is an edge */
    enum aw_gpio_edge edge;
    uint32_t seqno; /* the kernel's, of the last edge; it counts from 1 */
};

/* One edge. */
struct aw_gpio_event {
    uint64_t monotonic_ns; /* CLOCK_MONOTONIC, the kernel's */
    uint32_t missed;       /* edges that it could not keep, before this one */
};

/* Requests the line; `name` is the device's, for messages. Returns 0 or a
 * negative errno with a sentence. Any thread. */
int aw_gpio_line_init(struct aw_gpio_line *line, const char *name,
                      const struct aw_gpio_settings *settings,
                      struct aw_error *error);

void aw_gpio_line_deinit(struct aw_gpio_line *line);

/* Takes up to AW_GPIO_EDGES_BATCH edges, oldest first. Returns how many, 0 if
 * there are none, or a negative errno: the line is gone. Does not block. */
int aw_gpio_line_read(struct aw_gpio_line *line,
                      struct aw_gpio_event events[AW_GPIO_EDGES_BATCH])
    AW_ON(reader);

/* Does the line stand where its edge has led? An edge of the past may have been
 * nobody's. False for both edges, and where the kernel cannot tell. */
bool aw_gpio_line_asserted(const struct aw_gpio_line *line) AW_ON(reader);

#endif
