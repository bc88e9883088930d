/* From words to devices: the functions behind awaitd.open and awaitd.devices.
 *
 * A device's options travel as a dict of text, whatever they came from, and are
 * understood in one place only, by the driver's table. */
#include <errno.h>

#include "config/config.h"
#include "devices/device_config.h"
#include "devices/driver_load.h"
#include "pymod/device.h"
#include "pymod/errors.h"

/* A sentence may quote what the user wrote, which need not be UTF-8. */
static PyObject *raise_config_error(struct aw_module *module,
                                    const struct aw_error *error)
{
    PyObject *text = PyUnicode_DecodeUTF8(
        error->text, (Py_ssize_t)strlen(error->text), "replace");

    if (text)
        PyErr_SetObject(module->config_error, text);
    Py_XDECREF(text);
    return NULL;
}

/* ---- dict to configuration ---- */

static int set_option(struct aw_device_config *config, PyObject *key,
                      PyObject *value, struct aw_error *error)
{
    const char *name = PyUnicode_AsUTF8(key);
    const char *text = name ? PyUnicode_AsUTF8(value) : NULL;

    if (!text)
        return -EINVAL;
    return aw_device_config_set(config, name, text, error);
}

/* 0, or -1 with ConfigError or what else went wrong. */
static int set_options(struct aw_module *module,
                       struct aw_device_config *config, PyObject *options)
{
    struct aw_error error = {""}, named;
    PyObject *key, *value;
    Py_ssize_t position = 0;
    int result = 0;

    while (result == 0 && PyDict_Next(options, &position, &key, &value)) {
        if (PyUnicode_CompareWithASCIIString(key, "driver") != 0)
            result = set_option(config, key, value, &error);
    }
    if (result == 0)
        result = aw_device_config_check(config, &error);
    if (result == 0)
        return 0;
    if (!PyErr_Occurred()) {
        aw_error_set(&named, EINVAL, "device %s: %s", config->name, error.text);
        raise_config_error(module, &named);
    }
    return -1;
}

static struct aw_device_config *make_config(struct aw_module *module,
                                            const char *name, PyObject *options)
{
    PyObject *driver = PyDict_GetItemString(options, "driver");
    struct aw_device_config *config = NULL;
    struct aw_error error = {""};

    if (!driver || !PyUnicode_Check(driver)) {
        PyErr_Format(module->config_error, "device %s: a driver is needed",
                     name);
        return NULL;
    }
    if (aw_device_config_new(name, PyUnicode_AsUTF8(driver), &config, &error) <
        0) {
        raise_config_error(module, &error);
        return NULL;
    }
    if (set_options(module, config, options) < 0) {
        aw_device_config_free(config);
        return NULL;
    }
    return config;
}

PyObject *aw_open_device(PyObject *module, PyObject *arguments)
{
    struct aw_module *state = aw_module_state(module);
    struct aw_device *device = NULL;
    struct aw_device_config *config;
    struct aw_error error = {""};
    const char *name;
    PyObject *options, *object = NULL;
    int result;

    if (!PyArg_ParseTuple(arguments, "sO!:open_device", &name, &PyDict_Type,
                          &options) ||
        aw_module_check_fork(state) < 0 || aw_module_pass_gate(state) < 0)
        return NULL;
    config = make_config(state, name, options);
    if (!config)
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    result = aw_device_open(config, &device, &error);
    Py_END_ALLOW_THREADS
    if (result < 0)
        aw_raise(state, -result, name, &error);
    else
        object = aw_device_object_new(state, device, false);
    aw_device_config_free(config);
    return object;
}

/* ---- configuration to dict ---- */

static int put_text(PyObject *options, const char *key,
                    const struct aw_value *value)
{
    PyObject *text;
    int result;

    if (!value->set)
        return 0;
    text = PyUnicode_FromString(value->text);
    result = text ? PyDict_SetItemString(options, key, text) : -1;
    Py_XDECREF(text);
    return result;
}

static PyObject *config_to_dict(const struct aw_device_config *config)
{
    const struct aw_driver *driver = config->driver;
    const char *path = aw_driver_path(driver);
    PyObject *options = PyDict_New();
    PyObject *text = path ? PyUnicode_DecodeFSDefault(path)
                          : PyUnicode_FromString(driver->name);

    if (!options || !text || PyDict_SetItemString(options, "driver", text) < 0)
        Py_CLEAR(options);
    Py_XDECREF(text);

    for (size_t i = 0; options && i < AW_COMMON_COUNT; i++) {
        if (put_text(options, aw_common_options[i].name, &config->common[i]) <
            0)
            Py_CLEAR(options);
    }
    for (size_t i = 0; options && i < driver->option_count; i++) {
        if (put_text(options, driver->options[i].name, &config->values[i]) < 0)
            Py_CLEAR(options);
    }
    return options;
}

PyObject *aw_parse_device(PyObject *module, PyObject *text)
{
    struct aw_module *state = aw_module_state(module);
    const char *short_form = PyUnicode_AsUTF8(text);
    struct aw_device_config *config;
    struct aw_error error = {""};
    PyObject *result;

    if (!short_form)
        return NULL;
    if (aw_device_config_parse(short_form, &config, &error) < 0) {
        return raise_config_error(state, &error);
    }
    result = Py_BuildValue("(sN)", config->name, config_to_dict(config));
    aw_device_config_free(config);
    return result;
}

PyObject *aw_read_config(PyObject *module, PyObject *path)
{
    struct aw_module *state = aw_module_state(module);
    struct aw_config *config;
    struct aw_error error = {""};
    PyObject *devices, *encoded;
    int result;

    if (!PyUnicode_FSConverter(path, &encoded))
        return NULL;
    result = aw_config_load(PyBytes_AS_STRING(encoded), &config, &error);
    Py_DECREF(encoded);
    if (result < 0) {
        return raise_config_error(state, &error);
    }
    devices = PyDict_New();
    for (size_t i = 0; devices && i < config->device_count; i++) {
        PyObject *options = config_to_dict(config->devices[i]);

        if (!options || PyDict_SetItemString(devices, config->devices[i]->name,
                                             options) < 0)
            Py_CLEAR(devices);
        Py_XDECREF(options);
    }
    aw_config_free(config);
    return devices;
}

PyObject *aw_hosted_devices(PyObject *module, PyObject *Py_UNUSED(unused))
{
    const struct aw_hosted *hosted = aw_module_hosted();
    PyObject *devices;

    if (!hosted)
        Py_RETURN_NONE;
    devices = PyDict_New();
    for (size_t i = 0; devices && i < hosted->device_count; i++) {
        struct aw_device *device = hosted->devices[i];
        PyObject *object = aw_device_object_new(aw_module_state(module),
                                                aw_device_ref(device), true);

        if (!object ||
            PyDict_SetItemString(devices, aw_device_name(device), object) < 0)
            Py_CLEAR(devices);
        Py_XDECREF(object);
    }
    return devices;
}
