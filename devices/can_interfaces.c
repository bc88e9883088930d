#include "devices/can_interfaces.h"

#include <dirent.h>
#include <fcntl.h>
#include <net/if_arp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Is the hardware type of interface `name` that of CAN? */
static bool is_can(int folder_fd, const char *name)
{
    char path[300], type[16] = "";
    int fd;

    snprintf(path, sizeof(path), "%s/type", name);
    fd = openat(folder_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    if (read(fd, type, sizeof(type) - 1) < 0)
        type[0] = '\0';
    close(fd);
    return atoi(type) == ARPHRD_CAN;
}

static void append(char *text, size_t size, const char *name)
{
    size_t used = strlen(text);

    if (used + strlen(name) + sizeof(", ") <= size)
        snprintf(text + used, size - used, "%s%s", used ? ", " : "", name);
}

size_t aw_can_interfaces(const char *folder, char *text, size_t size)
{
    struct dirent **entries;
    int entry_count = scandir(folder, &entries, NULL, alphasort);
    int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    size_t count = 0;

    text[0] = '\0';
    for (int i = 0; i < entry_count; i++) {
        const char *name = entries[i]->d_name;

        if (name[0] != '.' && is_can(folder_fd, name)) {
            append(text, size, name);
            count++;
        }
        free(entries[i]);
    }
    if (entry_count >= 0)
        free(entries);
    if (folder_fd >= 0)
        close(folder_fd);
    return count;
}
