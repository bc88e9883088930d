/* Timers, and the next frame of a queue. */
#include "example.h"

/* ---- a future, as any C code can complete one ---- */

/* asyncio.get_running_loop() */
static PyObject *running_loop(void)
{
    PyObject *asyncio = PyImport_ImportModule("asyncio");
    PyObject *loop =
        asyncio ? PyObject_CallMethod(asyncio, "get_running_loop", NULL) : NULL;

    Py_XDECREF(asyncio);
    return loop;
}

/* A future that the loop completes with None in so many seconds. */
static PyObject *future_in(PyObject *loop, PyObject *seconds)
{
    PyObject *future = PyObject_CallMethod(loop, "create_future", NULL);
    PyObject *complete =
        future ? PyObject_GetAttrString(future, "set_result") : NULL;
    PyObject *timer = complete ? PyObject_CallMethod(loop, "call_later", "OOO",
                                                     seconds, complete, Py_None)
                               : NULL;

    if (!timer)
        Py_CLEAR(future);
    Py_XDECREF(timer);
    Py_XDECREF(complete);
    return future;
}

/* Called when it is awaited: only then there is a loop. */
static int begin_sleep(PyObject *aw)
{
    PyObject *seconds = PyAwaitable_GetValue(aw, 0);
    PyObject *loop = seconds ? running_loop() : NULL;
    int status = -1;

    if (loop)
        status = PyAwaitable_AddExpr(aw, future_in(loop, seconds), NULL, NULL);
    Py_XDECREF(loop);
    return status;
}

PyObject *example_my_sleep(PyObject *module, PyObject *seconds)
{
    PyObject *aw = PyAwaitable_New();

    (void)module;
    if (aw && (PyAwaitable_SetName(aw, "my_sleep") < 0 ||
               PyAwaitable_SaveValues(aw, 1, seconds) < 0 ||
               PyAwaitable_DeferAwait(aw, begin_sleep) < 0))
        Py_CLEAR(aw);
    return aw;
}

/* ---- the same by the API's own timer ---- */

PyObject *example_nap(PyObject *module, PyObject *seconds)
{
    double time = PyFloat_AsDouble(seconds);
    PyObject *aw;

    (void)module;
    if (time == -1.0 && PyErr_Occurred())
        return NULL;
    aw = PyAwaitable_New();
    if (aw && PyAwaitable_AddSleep(aw, time, NULL, NULL) < 0)
        Py_CLEAR(aw);
    return aw;
}

/* ---- a queue ---- */

/* Bytes 4 and 5 of the frame, in hundredths of km/h. */
static int got_frame(PyObject *aw, PyObject *frame)
{
    PyObject *data = PyObject_GetAttrString(frame, "data");
    PyObject *speed = NULL;
    int status = -1;

    if (data && PyBytes_Check(data) && PyBytes_GET_SIZE(data) >= 6) {
        const unsigned char *bytes =
            (const unsigned char *)PyBytes_AS_STRING(data);

        speed = PyFloat_FromDouble((bytes[4] << 8 | bytes[5]) / 100.0);
    } else if (data) {
        PyErr_SetString(PyExc_ValueError, "the frame is too short");
    }
    if (speed)
        status = PyAwaitable_SetResult(aw, speed);
    Py_XDECREF(speed);
    Py_XDECREF(data);
    return status;
}

static int no_frame(PyObject *aw, PyObject *exception)
{
    (void)aw; // its result is None
    return PyErr_GivenExceptionMatches(exception, PyExc_TimeoutError) ? 0 : -1;
}

PyObject *example_speed(PyObject *module, PyObject *queue)
{
    PyObject *aw = PyAwaitable_New();

    (void)module;
    if (aw && PyAwaitable_AddQueueGet(aw, queue, 0.5, got_frame, no_frame) < 0)
        Py_CLEAR(aw);
    return aw;
}
