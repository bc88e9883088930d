/* SPI: the nodes of spidev. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "daemon/list.h"

#define CLASS "/sys/class/spidev"

static int visit(const struct aw_list_root *root, const char *name,
                 json_t *list)
{
    char node[PATH_MAX], modalias[64], summary[AW_LIST_SUMMARY] = "";
    char advice[320];
    struct aw_listed listed = {.kind = "spi", .name = name, .driver = "spi"};
    json_t *object;
    int result;

    snprintf(node, sizeof(node), "%s/dev/%s", root->path, name);
    aw_list_read(root, modalias, sizeof(modalias), CLASS "/%s/device/modalias",
                 name);
    aw_list_say(summary, sizeof(summary), "%s", node);
    if (modalias[0])
        aw_list_say(summary, sizeof(summary), "%s", modalias);
    listed.summary = summary;
    listed.main = node;
    listed.may_open = aw_list_may_open(node, advice, sizeof(advice));
    listed.advice = listed.may_open ? NULL : advice;
    result = aw_list_add(list, &listed, &object);
    if (result == 0 &&
        (json_object_set_new(object, "node", json_string(node)) < 0 ||
         json_object_set_new(object, "modalias", json_string(modalias)) < 0))
        result = -ENOMEM;
    return result;
}

int aw_list_spi(const struct aw_list_root *root, json_t *list)
{
    return aw_list_each(root, CLASS, visit, list);
}
