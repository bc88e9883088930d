#include "pymod/output_object.h"

#include <errno.h>
#include <string.h>

static const char capsule_name[] = "awaitd.output";

static const struct aw_host_output *output_of(PyObject *capsule)
{
    return PyCapsule_GetPointer(capsule, capsule_name);
}

/* Each line of `text` by itself. */
static int put_lines(const struct aw_host_output *output,
                     struct aw_host_line *line, const char *text, size_t length,
                     size_t cut)
{
    while (length > 0) {
        const char *end = memchr(text, '\n', length);
        int result;

        line->text = text;
        line->length = end ? (size_t)(end - text) : length;
        line->cut = cut;
        cut = 0;
        result = output->put(output->context, line);
        if (result < 0)
            return result;
        length -= line->length + (end != NULL);
        text += line->length + (end != NULL);
    }
    return 0;
}

static PyObject *put(PyObject *capsule, PyObject *args)
{
    struct aw_host_line line = {0};
    Py_ssize_t script, length, cut;
    PyObject *text, *bytes;
    int result;

    if (!PyArg_ParseTuple(args, "niizIUn", &script, &line.stream,
                          &line.priority, &line.file, &line.line, &text, &cut))
        return NULL;
    /* As the standard streams do with what is no UTF-8. */
    bytes = PyUnicode_AsEncodedString(text, "utf-8", "backslashreplace");
    if (!bytes)
        return NULL;
    line.script = script < 0 ? SIZE_MAX : (size_t)script;
    length = PyBytes_GET_SIZE(bytes);
    result = put_lines(output_of(capsule), &line, PyBytes_AS_STRING(bytes),
                       (size_t)length, (size_t)cut);
    Py_DECREF(bytes);
    if (result == 0)
        Py_RETURN_NONE;
    errno = -result;
    return PyErr_SetFromErrno(PyExc_OSError);
}

static PyObject *drain(PyObject *capsule, PyObject *timeout)
{
    const struct aw_host_output *output = output_of(capsule);
    double timeout_s = PyFloat_AsDouble(timeout);
    bool done;

    if (PyErr_Occurred())
        return NULL;
    Py_BEGIN_ALLOW_THREADS
    done = output->drain(output->context, timeout_s);
    Py_END_ALLOW_THREADS
    return PyBool_FromLong(done);
}

PyObject *aw_output_callables(const struct aw_host_output *output)
{
    /* Python keeps pointers to them, and never writes. */
    static PyMethodDef methods[] = {
        {"put", put, METH_VARARGS, NULL},
        {"drain", drain, METH_O, NULL},
    };
    PyObject *capsule, *triple;

    if (!output->put)
        Py_RETURN_NONE;
    capsule = PyCapsule_New((void *)output, capsule_name, NULL);
    if (!capsule)
        return NULL;
    triple = Py_BuildValue("(NNO)", PyCFunction_New(&methods[0], capsule),
                           PyCFunction_New(&methods[1], capsule),
                           output->located ? Py_True : Py_False);
    Py_DECREF(capsule);
    return triple;
}
