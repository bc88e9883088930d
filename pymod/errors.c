/* The exceptions of awaitd, and what an errno means to a script.
 *
 * The classes are made in one pass over a table in which a base stands before
 * what derives from it. Their attributes have defaults in the class, so that
 * they are there on an exception that a script made itself, and are set on the
 * instance, where pickle finds them. */
#include "pymod/errors.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* ---- the classes ---- */

struct error_class {
    const char *name; /* with module */
    const char *doc;
    size_t kept;                           /* where struct aw_module keeps it */
    size_t base;                           /* where it keeps the base */
    const char *other_module, *other_base; /* one more base, or NULL */
    const char *attribute, *other_attribute; /* strings, or NULL */
};

#define KEPT(field) offsetof(struct aw_module, field)
#define NO_BASE     SIZE_MAX

static const struct error_class classes[] = {
    {.name = "awaitd.Error",
     .doc = "Base of the exceptions that awaitd raises.",
     .kept = KEPT(error),
     .base = NO_BASE},
    {.name = "awaitd.QueueEmpty",
     .doc = "get_nowait() found no frame. Also an asyncio.QueueEmpty.",
     .kept = KEPT(queue_empty),
     .base = KEPT(error),
     .other_module = "asyncio",
     .other_base = "QueueEmpty"},
    {.name = "awaitd.QueueClosed",
     .doc = "The queue gives no more frames; what was pending has been taken."
            "\n\n"
            "reason: \"end\" (the device has no more frames, as a replay at "
            "its end),\n\"closed\" (the script closed the queue) or "
            "\"stopped\" (the device was\nclosed).",
     .kept = KEPT(queue_closed),
     .base = KEPT(error),
     .attribute = "reason"},
    {.name = "awaitd.DeviceError",
     .doc = "A device could not be opened or used.\n\n"
            "errno: the system's error number. strerror: what failed, in a "
            "sentence.\ndevice: its name. advice: what to do about it, or "
            "\"\".",
     .kept = KEPT(device_error),
     .base = KEPT(error),
     .other_module = "builtins",
     .other_base = "OSError",
     .attribute = "device",
     .other_attribute = "advice"},
    {.name = "awaitd.DeviceLost",
     .doc = "The device is gone, as an adapter unplugged. Its queues give what "
            "is\npending, then this.",
     .kept = KEPT(device_lost),
     .base = KEPT(device_error)},
    {.name = "awaitd.DeviceDown",
     .doc = "The device is there, but down: nothing can be sent until it is "
            "up.",
     .kept = KEPT(device_down),
     .base = KEPT(device_error)},
    {.name = "awaitd.SendTimeout",
     .doc = "The kernel did not take the frame in time, or, with confirm=True, "
            "its echo\ndid not come in time. Also a builtin TimeoutError.\n\n"
            "device: its name. advice: what to do about it.",
     .kept = KEPT(send_timeout),
     .base = KEPT(error),
     .other_module = "builtins",
     .other_base = "TimeoutError",
     .attribute = "device",
     .other_attribute = "advice"},
    {.name = "awaitd.SendExpired",
     .doc = "The frame was too old before the kernel took it, as expires= "
            "says; it was\nnot sent.",
     .kept = KEPT(send_expired),
     .base = KEPT(send_timeout)},
    {.name = "awaitd.SendQueueFull",
     .doc = "Too many frames wait to be sent on the device; this one was not\n"
            "accepted.\n\n"
            "device: its name. advice: what to do about it.",
     .kept = KEPT(send_queue_full),
     .base = KEPT(error),
     .attribute = "device",
     .other_attribute = "advice"},
    {.name = "awaitd.ConfigError",
     .doc = "A device, an option or a file is not configured as it can be. "
            "Also a\nValueError.",
     .kept = KEPT(config_error),
     .base = KEPT(error),
     .other_module = "builtins",
     .other_base = "ValueError"},
};

static PyObject **kept_at(struct aw_module *module, size_t offset)
{
    return (PyObject **)(void *)((char *)module + offset);
}

/* The namespace of a class: "" for each of its attributes. A new reference. */
static PyObject *defaults(const struct error_class *class)
{
    const char *const names[] = {class->attribute, class->other_attribute};
    PyObject *empty = PyUnicode_FromStringAndSize("", 0);
    PyObject *space = empty ? PyDict_New() : NULL;

    for (size_t i = 0; space && i < 2; i++) {
        if (names[i] && PyDict_SetItemString(space, names[i], empty) < 0)
            Py_CLEAR(space);
    }
    Py_XDECREF(empty);
    return space;
}

/* A tuple of the bases of a class. A new reference. */
static PyObject *bases(struct aw_module *module,
                       const struct error_class *class)
{
    PyObject *base = class->base == NO_BASE ? PyExc_Exception
                                            : *kept_at(module, class->base);
    PyObject *from, *other;

    if (!class->other_module)
        return PyTuple_Pack(1, base);
    from = PyImport_ImportModule(class->other_module);
    if (!from)
        return NULL;
    other = PyObject_GetAttrString(from, class->other_base);
    Py_DECREF(from);
    return other ? Py_BuildValue("(ON)", base, other) : NULL;
}

static int add_class(PyObject *module, struct aw_module *state,
                     const struct error_class *class)
{
    PyObject **kept = kept_at(state, class->kept);
    PyObject *from = bases(state, class);
    PyObject *space = from ? defaults(class) : NULL;

    if (space)
        *kept = PyErr_NewExceptionWithDoc(class->name, class->doc, from, space);
    Py_XDECREF(from);
    Py_XDECREF(space);
    if (!*kept)
        return -1;
    return PyModule_AddObjectRef(module, strchr(class->name, '.') + 1, *kept);
}

int aw_errors_setup(PyObject *module)
{
    struct aw_module *state = aw_module_state(module);

    for (size_t i = 0; i < sizeof(classes) / sizeof(classes[0]); i++) {
        if (add_class(module, state, &classes[i]) < 0)
            return -1;
    }
    return 0;
}

/* ---- from errno to exception ---- */

struct meaning {
    int code;
    size_t kept;      /* the class */
    const char *text; /* what happened; NULL: as the system puts it */
    const char *advice;
};

static const struct meaning meanings[] = {
    {ENETDOWN, KEPT(device_down), NULL,
     "bring the interface up: ip link set dev INTERFACE up"},
    {ENODEV, KEPT(device_lost), NULL,
     "see what there is (ip link, ls /dev); after an adapter was plugged in "
     "again, open the device anew; with on_loss: wait awaitd does that"},
    {ENXIO, KEPT(device_error), NULL, "see what there is (ip link, ls /dev)"},
    {ETIMEDOUT, KEPT(send_timeout), AW_TEXT_LATE, AW_ADVICE_LATE},
    {ENOBUFS, KEPT(send_queue_full), "too many frames wait to be sent",
     "await each send, or send more slowly"},
    {ECANCELED, KEPT(send_expired), "a frame was too old to be sent",
     "expires= is how long it may wait"},
    {EOPNOTSUPP, KEPT(device_error), "nothing can be sent on this device", ""},
    {EMSGSIZE, KEPT(device_error), NULL, "send less in one frame"},
    {EACCES, KEPT(device_error), NULL,
     "run as a user who may open it, as a member of the device's group"},
    {EPERM, KEPT(device_error), NULL,
     "run as root, or with the capability that this needs"},
    {EADDRINUSE, KEPT(device_error), NULL,
     "another program listens there (ss -ulnp lists them): stop it, or bind "
     "another port"},
    {EADDRNOTAVAIL, KEPT(device_error), NULL,
     "bind an address of this machine (ip address lists them), or 0.0.0.0"},
    {EAFNOSUPPORT, KEPT(device_error), NULL,
     "the kernel lacks this protocol: load its module, as modprobe can_raw"},
    {EMFILE, KEPT(device_error), NULL,
     "allow this process more open files: ulimit -n NUMBER, or LimitNOFILE= in "
     "its systemd unit"},
    {ENFILE, KEPT(device_error), NULL,
     "allow this machine more open files: sysctl fs.file-max"},
    {EPROTO, KEPT(device_error), "the queue's memory was written to",
     "restart the script"},
};

static const struct meaning *find_meaning(int code)
{
    static const struct meaning other = {0, KEPT(device_error), NULL, ""};

    for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
        if (meanings[i].code == code)
            return &meanings[i];
    }
    return &other;
}

static const char *text_of(const struct meaning *meaning, int code)
{
    return meaning->text ? meaning->text : strerror(code);
}

static int set_text(PyObject *object, const char *name, const char *text)
{
    PyObject *value = PyUnicode_FromString(text);
    int result = value ? PyObject_SetAttrString(object, name, value) : -1;

    Py_XDECREF(value);
    return result;
}

/* True for "CANbus: …" and "device CANbus: …". */
static bool names(const char *text, const char *device)
{
    static const char word[] = "device ";
    size_t length = strlen(device);

    if (strncmp(text, word, sizeof(word) - 1) == 0)
        text += sizeof(word) - 1;
    return strncmp(text, device, length) == 0 && text[length] == ':';
}

/* "CANbus: TEXT; ADVICE", without what is missing or said already. */
static PyObject *sentence(const char *device, const char *text,
                          const char *advice)
{
    bool prefix = device && !names(text, device);

    return PyUnicode_FromFormat("%s%s%s%s%s", prefix ? device : "",
                                prefix ? ": " : "", text, *advice ? "; " : "",
                                advice);
}

/* Do exceptions of this class have the attributes device and advice? */
static bool tells_device(const struct aw_module *module, PyTypeObject *class)
{
    return PyType_IsSubtype(class, (PyTypeObject *)module->device_error) ||
           PyType_IsSubtype(class, (PyTypeObject *)module->send_timeout) ||
           PyType_IsSubtype(class, (PyTypeObject *)module->send_queue_full);
}

/* Raises an exception of `type`, an OSError or not. Steals `message`. */
static void raise_message(struct aw_module *module, PyObject *type, int code,
                          PyObject *message, const char *device,
                          const char *advice)
{
    PyTypeObject *class = (PyTypeObject *)type;
    bool system = PyType_IsSubtype(class, (PyTypeObject *)PyExc_OSError);
    PyObject *exception = NULL;

    if (message)
        exception = system ? PyObject_CallFunction(type, "iO", code, message)
                           : PyObject_CallOneArg(type, message);
    Py_XDECREF(message);
    if (!exception)
        return;
    if (!tells_device(module, class) ||
        (set_text(exception, "device", device ? device : "") == 0 &&
         set_text(exception, "advice", advice) == 0))
        PyErr_SetObject(type, exception);
    Py_DECREF(exception);
}

PyObject *aw_raise(struct aw_module *module, int code, const char *device,
                   const struct aw_error *error)
{
    const struct meaning *meaning = find_meaning(code);
    bool told = error && error->text[0];
    const char *text = told ? error->text : text_of(meaning, code);
    PyObject *type = *kept_at(module, meaning->kept);

    if (code == ENOMEM && !told)
        return PyErr_NoMemory();
    if (!device && (code == EINVAL || code == ENOENT))
        type = module->config_error;
    /* The sentence of a driver has its own remedy in it. */
    raise_message(module, type, code,
                  sentence(device, text, told ? "" : meaning->advice), device,
                  meaning->advice);
    return NULL;
}

PyObject *aw_raise_advised(struct aw_module *module, int code,
                           const char *device, const char *text,
                           const char *advice)
{
    raise_message(module, *kept_at(module, find_meaning(code)->kept), code,
                  sentence(device, text, advice), device, advice);
    return NULL;
}

/* ---- a queue's end ---- */

static void raise_closed(struct aw_module *module, const char *reason,
                         PyObject *message)
{
    PyObject *type = module->queue_closed;
    PyObject *exception = message ? PyObject_CallOneArg(type, message) : NULL;

    Py_XDECREF(message);
    if (exception && set_text(exception, "reason", reason) == 0)
        PyErr_SetObject(type, exception);
    Py_XDECREF(exception);
}

static void raise_lost(struct aw_module *module, const struct aw_queue *queue)
{
    int code = aw_queue_failure(queue) ? aw_queue_failure(queue) : ENODEV;
    const struct meaning *meaning = find_meaning(code);

    raise_message(
        module, module->device_lost, code,
        sentence(queue->device, text_of(meaning, code), meaning->advice),
        queue->device, meaning->advice);
}

PyObject *aw_raise_closed(struct aw_module *module,
                          const struct aw_queue *queue)
{
    const char *reason = "closed", *why = "its script closed it";

    switch (aw_queue_state(queue)) {
    case AW_QUEUE_LOST:
        raise_lost(module, queue);
        return NULL;
    case AW_QUEUE_END:
        reason = "end";
        why = "the device has no more frames";
        break;
    case AW_QUEUE_STOPPED:
        reason = "stopped";
        why = "the device was closed";
        break;
    case AW_QUEUE_CLOSED:
    case AW_QUEUE_OPEN:
        break;
    }
    raise_closed(module, reason,
                 PyUnicode_FromFormat("%s: queue '%s' gives no more frames: %s",
                                      queue->device, queue->name, why));
    return NULL;
}
