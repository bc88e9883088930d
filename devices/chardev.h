/* Character devices of the kernel, as /dev/spidev0.0 and /dev/gpiochip0: the
 * only system calls that tests have to answer in the kernel's place, since few
 * machines have the hardware. They put another file in that of chardev.c; what
 * is read, polled and closed are real descriptors there too. */
#ifndef AW_CHARDEV_H
#define AW_CHARDEV_H

/* Opens `path` for reading and writing, close-on-exec. Returns the descriptor,
 * the caller's to close(2), or a negative errno. Any thread. */
int aw_chardev_open(const char *path);

/* Asks the device for something; blocks as long as that takes. Returns zero or
 * positive, or a negative errno. Any thread. */
int aw_chardev_ioctl(int fd, unsigned long request, void *argument);

#endif
