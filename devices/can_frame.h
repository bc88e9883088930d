/* CAN frames between the kernel's form (linux/can.h) and ours.
 *
 * A remote frame's `length` is the length it asks for, and its payload zeros,
 * as in the kernel's struct. No function here blocks or allocates: any thread
 * may call them. */
#ifndef AW_CAN_FRAME_H
#define AW_CAN_FRAME_H

#include <linux/can.h>
#include <stddef.h>

#include "devices/queue/frame.h"

/* What read(2) and write(2) of a raw CAN socket move: CAN_MTU bytes of a
 * classic frame or CANFD_MTU bytes of an FD frame. The two structs agree in id,
 * length and data. */
union aw_can_wire {
    struct can_frame classic;
    struct canfd_frame fd;
};

/* Fills in kind, id, length, flags and payload from the `bytes` received. The
 * slot must have room for what the kernel can deliver: 8 bytes, or 64 where
 * the socket takes FD frames. */
void aw_can_frame_import(const union aw_can_wire *wire, size_t bytes,
                         struct aw_frame *frame);

/* Makes what is written to the socket of a frame. An FD payload is padded with
 * zeros to the next length that FD knows. Returns CAN_MTU or CANFD_MTU, or
 * -EINVAL for another kind, a payload too long, or a remote FD frame. */
int aw_can_frame_export(const struct aw_frame *frame,
                        union aw_can_wire *ret_wire);

#endif
