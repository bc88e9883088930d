/* A frame as a line of text, and back: what awaitctl dumps and sends. */
#ifndef AW_FRAME_TEXT_H
#define AW_FRAME_TEXT_H

#include <stddef.h>

#include "devices/device.h"

/* Room for any line but one of a jumbo datagram, which is cut. */
#define AW_FRAME_TEXT_MAX 4400u

/* `(SECONDS) CHANNEL FRAME` as candump -L has it; for frames that are no CAN
 * frames `(SECONDS) DEVICE [ADDRESS:PORT] HEX`. Without line end, with NUL.
 * Any thread; does not allocate. */
void aw_frame_text(const struct aw_frame *frame, const struct aw_device *device,
                   char ret_text[AW_FRAME_TEXT_MAX]);

/* Makes what a device of that kind sends: of candump's form for CAN, of
 * hexadecimal digits else. `to` is the HOST:PORT of a datagram, else NULL. The
 * result is the caller's, for free(). Returns 0, -ENOMEM, or -EINVAL with a
 * sentence. */
int aw_frame_from_text(const struct aw_device *device, const char *text,
                       const char *to, struct aw_send **ret_send,
                       struct aw_error *error);

#endif
