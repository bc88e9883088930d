/* What other libraries do for awaitd's own objects, and cannot when they are
 * out of memory, descriptors or threads. jansson's allocations each fail, by
 * the functions that it can be given; the others as a whole. */
#include <ev.h>
#include <grp.h>
#include <jansson.h>
#include <locale.h>
#include <microhttpd.h>
#include <net/if.h>
#include <netdb.h>
#include <pcap/pcap.h>
#include <stdarg.h>
#include <stdlib.h>
#include <systemd/sd-daemon.h>
#include <yaml.h>
#include <zlib.h>

#include "tests/faults/wrap.h"

CALL(struct ev_loop *, ev_loop_new, NULL, (unsigned flags), (flags), ENOMEM)
CALL(locale_t, newlocale, (locale_t)0,
     (int categories, const char *name, locale_t base),
     (categories, name, base), ENOMEM)
CALL(unsigned, if_nametoindex, 0, (const char *name), (name), EMFILE)
CALL(struct group *, getgrnam, NULL, (const char *name), (name), EMFILE)
CALL(int, getaddrinfo, EAI_MEMORY,
     (const char *host, const char *service, const struct addrinfo *hints,
      struct addrinfo **found),
     (host, service, hints, found), ENOMEM)
CALL(int, getnameinfo, EAI_MEMORY,
     (const struct sockaddr *name, socklen_t size, char *host,
      socklen_t host_size, char *service, socklen_t service_size, int flags),
     (name, size, host, host_size, service, service_size, flags), ENOMEM)
CODE_CALL(getgrgid_r,
          (gid_t id, struct group *group, char *buffer, size_t size,
           struct group **found),
          (id, group, buffer, size, found), EMFILE)
CALL(int, sd_listen_fds, -ENOMEM, (int unset), (unset), ENOMEM)
CALL(int, sd_watchdog_enabled, -ENOMEM, (int unset, uint64_t *time),
     (unset, time), ENOMEM)

CALL(int, gzbuffer, -1, (gzFile file, unsigned size), (file, size), ENOMEM)
CALL(int, gzread, -1, (gzFile file, void *data, unsigned size),
     (file, data, size), EIO)

CALL(struct MHD_Response *, MHD_create_response_from_buffer, NULL,
     (size_t size, void *data, enum MHD_ResponseMemoryMode mode),
     (size, data, mode), ENOMEM)
CALL(enum MHD_Result, MHD_add_response_header, MHD_NO,
     (struct MHD_Response * response, const char *header, const char *content),
     (response, header, content), ENOMEM)
CALL(enum MHD_Result, MHD_queue_response, MHD_NO,
     (struct MHD_Connection * connection, unsigned status,
      struct MHD_Response *response),
     (connection, status, response), ENOMEM)
CALL(enum MHD_Result, MHD_run, MHD_NO, (struct MHD_Daemon * daemon), (daemon),
     ENOMEM)

CALL(pcap_t *, pcap_open_dead, NULL, (int link, int length), (link, length),
     ENOMEM)
CALL(int, pcap_compile, -1,
     (pcap_t * pcap, struct bpf_program *program, const char *text,
      int is_optimised, bpf_u_int32 mask),
     (pcap, program, text, is_optimised, mask), ENOMEM)

struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback accept,
                                           void *accept_data,
                                           MHD_AccessHandlerCallback handle,
                                           void *handle_data, ...);

struct MHD_Daemon *__wrap_MHD_start_daemon(unsigned flags, uint16_t port,
                                           MHD_AcceptPolicyCallback accept,
                                           void *accept_data,
                                           MHD_AccessHandlerCallback handle,
                                           void *handle_data, ...)
{
    int code = INJECT("MHD_start_daemon", EADDRINUSE, EMFILE);
    struct MHD_Daemon *made = NULL;
    va_list options;

    va_start(options, handle_data);
    if (!code)
        made = MHD_start_daemon_va(flags, port, accept, accept_data, handle,
                                   handle_data, options);
    va_end(options);
    if (code)
        errno = code;
    return made;
}

CALL(int, yaml_parser_initialize, 0, (yaml_parser_t * parser), (parser), ENOMEM)
CALL(int, yaml_emitter_initialize, 0, (yaml_emitter_t * emitter), (emitter),
     ENOMEM)
CALL(int, yaml_emitter_emit, 0, (yaml_emitter_t * emitter, yaml_event_t *event),
     (emitter, event), ENOMEM)
CALL(int, yaml_stream_start_event_initialize, 0,
     (yaml_event_t * event, yaml_encoding_t encoding), (event, encoding),
     ENOMEM)
CALL(int, yaml_document_start_event_initialize, 0,
     (yaml_event_t * event, yaml_version_directive_t *version,
      yaml_tag_directive_t *start, yaml_tag_directive_t *end, int is_implicit),
     (event, version, start, end, is_implicit), ENOMEM)
CALL(int, yaml_scalar_event_initialize, 0,
     (yaml_event_t * event, const yaml_char_t *anchor, const yaml_char_t *tag,
      const yaml_char_t *value, int length, int is_plain, int is_quoted,
      yaml_scalar_style_t style),
     (event, anchor, tag, value, length, is_plain, is_quoted, style), ENOMEM)
CALL(int, yaml_sequence_start_event_initialize, 0,
     (yaml_event_t * event, const yaml_char_t *anchor, const yaml_char_t *tag,
      int is_implicit, yaml_sequence_style_t style),
     (event, anchor, tag, is_implicit, style), ENOMEM)
CALL(int, yaml_mapping_start_event_initialize, 0,
     (yaml_event_t * event, const yaml_char_t *anchor, const yaml_char_t *tag,
      int is_implicit, yaml_mapping_style_t style),
     (event, anchor, tag, is_implicit, style), ENOMEM)

gzFile __wrap_gzdopen(int fd, const char *mode);

/* The descriptor is the stream's from then on. */
gzFile __wrap_gzdopen(int fd, const char *mode)
{
    gzFile made = INJECT("gzdopen", ENOMEM) ? NULL : gzdopen(fd, mode);

    if (made)
        inject_disown_fd(fd);
    return made;
}

int __wrap_yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document);

int __wrap_yaml_parser_load(yaml_parser_t *parser, yaml_document_t *document)
{
    if (!INJECT("yaml_parser_load", ENOMEM))
        return yaml_parser_load(parser, document);
    parser->error = YAML_MEMORY_ERROR;
    return 0;
}

/* ---- libcyaml and jansson, by each allocation ---- */

void *__wrap_cyaml_mem(void *context, void *memory, size_t size);
void *cyaml_mem(void *context, void *memory, size_t size);

/* A size of 0 gives back. */
void *__wrap_cyaml_mem(void *context, void *memory, size_t size)
{
    return size > 0 && INJECT("cyaml_mem", ENOMEM)
               ? NULL
               : cyaml_mem(context, memory, size);
}

static void *allocate_json(size_t size)
{
    void *made = INJECT("jansson", ENOMEM) ? NULL : malloc(size);

    inject_own_memory(made, size);
    return made;
}

static void free_json(void *memory)
{
    inject_disown_memory(memory);
    free(memory);
}

__attribute__((constructor)) static void begin(void)
{
    json_set_alloc_funcs(allocate_json, free_json);
}
