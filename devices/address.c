#include "devices/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const unsigned char mapped_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* ---- text to endpoint ---- */

static int parse_port(const char *text, uint16_t *ret_port)
{
    char *end;
    unsigned long port = strtoul(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || port > UINT16_MAX)
        return -EINVAL;
    *ret_port = (uint16_t)port;
    return 0;
}

/* An IPv6 address needs its brackets: without them its last group could be
 * meant as the port. */
static bool split(const char *text, const char **ret_host, size_t *ret_length,
                  const char **ret_port)
{
    bool bracket = text[0] == '[';
    const char *end = strchr(text, bracket ? ']' : ':');

    if (!end || (bracket && end[1] != ':') ||
        (!bracket && strchr(end + 1, ':')))
        return false;
    *ret_host = text + bracket;
    *ret_length = (size_t)(end - *ret_host);
    *ret_port = end + bracket + 1;
    return true;
}

int aw_endpoint_parse(const char *text, struct aw_endpoint *ret_endpoint,
                      struct aw_error *error)
{
    struct aw_endpoint endpoint = {0};
    const char *host, *port;
    size_t length;

    if (!split(text, &host, &length, &port) || length == 0 ||
        length >= sizeof(endpoint.host) || parse_port(port, &endpoint.port) < 0)
        return aw_error_set(error, EINVAL,
                            "\"%s\" is not HOST:PORT, as 0.0.0.0:5005 or "
                            "[::]:5005 (ports are 0 to 65535)",
                            text);
    memcpy(endpoint.host, host, length);
    *ret_endpoint = endpoint;
    return 0;
}

/* ---- host to address ---- */

int aw_address_parse(const char *host, struct sockaddr_storage *ret_address)
{
    const struct addrinfo hints = {.ai_flags = AI_NUMERICHOST,
                                   .ai_socktype = SOCK_DGRAM};
    struct addrinfo *found;
    socklen_t length;

    if (getaddrinfo(host, NULL, &hints, &found) != 0)
        return -EINVAL;
    length = found->ai_addrlen;
    memset(ret_address, 0, sizeof(*ret_address));
    memcpy(ret_address, found->ai_addr, length);
    freeaddrinfo(found);
    return (int)length;
}

/* Does this line of /etc/hosts (which it cuts up) give `name` an address? */
static int match_hosts_line(char *line, const char *name,
                            struct sockaddr_storage *ret_address)
{
    static const char blanks[] = " \t\r\n";
    char *rest, *address, *alias;

    line[strcspn(line, "#")] = '\0';
    address = strtok_r(line, blanks, &rest);
    if (!address)
        return -ENOENT;
    while ((alias = strtok_r(NULL, blanks, &rest))) {
        if (strcasecmp(alias, name) == 0)
            return aw_address_parse(address, ret_address);
    }
    return -ENOENT;
}

static int look_up(const char *name, struct sockaddr_storage *ret_address)
{
    FILE *hosts = fopen("/etc/hosts", "re");
    char line[1024];
    int length = -ENOENT;

    while (hosts && length < 0 && fgets(line, sizeof(line), hosts))
        length = match_hosts_line(line, name, ret_address);
    if (hosts)
        fclose(hosts);
    if (length < 0 && strcasecmp(name, "localhost") == 0)
        length = aw_address_parse("127.0.0.1", ret_address);
    return length;
}

static void set_port(struct sockaddr_storage *address, uint16_t port)
{
    /* The port lies at the same place in both families. */
    _Static_assert(offsetof(struct sockaddr_in, sin_port) ==
                       offsetof(struct sockaddr_in6, sin6_port),
                   "sockaddr layout");
    ((struct sockaddr_in *)address)->sin_port = htons(port);
}

int aw_endpoint_resolve(const struct aw_endpoint *endpoint,
                        struct sockaddr_storage *ret_address)
{
    int length = aw_address_parse(endpoint->host, ret_address);

    if (length < 0)
        length = look_up(endpoint->host, ret_address);
    if (length > 0)
        set_port(ret_address, endpoint->port);
    return length;
}

/* ---- address to text ---- */

void aw_address_format(const struct sockaddr *address,
                       char text[AW_ADDRESS_TEXT])
{
    socklen_t length = address->sa_family == AF_INET6
                           ? (socklen_t)sizeof(struct sockaddr_in6)
                           : (socklen_t)sizeof(struct sockaddr_in);
    char host[INET6_ADDRSTRLEN + IF_NAMESIZE + 1], port[8];

    if (getnameinfo(address, length, host, sizeof(host), port, sizeof(port),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        snprintf(text, AW_ADDRESS_TEXT, "?");
    else if (address->sa_family == AF_INET6)
        snprintf(text, AW_ADDRESS_TEXT, "[%s]:%s", host, port);
    else
        snprintf(text, AW_ADDRESS_TEXT, "%s:%s", host, port);
}

/* ---- frames ---- */

static void import_v4(const struct sockaddr_in *address,
                      struct aw_address *frame)
{
    frame->family = 4;
    frame->port = ntohs(address->sin_port);
    memcpy(frame->ip, &address->sin_addr, 4);
}

static void import_v6(const struct sockaddr_in6 *address,
                      struct aw_address *frame)
{
    const unsigned char *ip = address->sin6_addr.s6_addr;

    frame->port = ntohs(address->sin6_port);
    if (memcmp(ip, mapped_prefix, sizeof(mapped_prefix)) == 0) {
        frame->family = 4;
        memcpy(frame->ip, ip + sizeof(mapped_prefix), 4);
        return;
    }
    frame->family = 6;
    frame->scope_id = address->sin6_scope_id;
    memcpy(frame->ip, ip, 16);
}

void aw_address_import(const struct sockaddr *address,
                       struct aw_address *ret_address)
{
    *ret_address = (struct aw_address){0};
    if (address->sa_family == AF_INET)
        import_v4((const struct sockaddr_in *)address, ret_address);
    else if (address->sa_family == AF_INET6)
        import_v6((const struct sockaddr_in6 *)address, ret_address);
}

static int export_v4(const struct aw_address *address,
                     struct sockaddr_storage *ret_address)
{
    struct sockaddr_in *v4 = (struct sockaddr_in *)ret_address;

    *v4 = (struct sockaddr_in){.sin_family = AF_INET,
                               .sin_port = htons(address->port)};
    memcpy(&v4->sin_addr, address->ip, 4);
    return (int)sizeof(*v4);
}

static int export_v6(const struct aw_address *address,
                     struct sockaddr_storage *ret_address)
{
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_address;
    unsigned char *ip = v6->sin6_addr.s6_addr;

    *v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                .sin6_port = htons(address->port)};
    if (address->family == 4) {
        memcpy(ip, mapped_prefix, sizeof(mapped_prefix));
        memcpy(ip + sizeof(mapped_prefix), address->ip, 4);
    } else {
        memcpy(ip, address->ip, 16);
        v6->sin6_scope_id = address->scope_id;
    }
    return (int)sizeof(*v6);
}

int aw_address_export(const struct aw_address *address, int family,
                      struct sockaddr_storage *ret_address)
{
    if (address->family != 4 && address->family != 6)
        return -EDESTADDRREQ;
    if (family == AF_INET6)
        return export_v6(address, ret_address);
    return address->family == 4 ? export_v4(address, ret_address)
                                : -EAFNOSUPPORT;
}
