/* The table of functions, and the capsule that leads to it. */
#include "pymod/coroutine/awaitable.h"
#include "pymod/coroutine/waits.h"

static const struct PyAwaitable_Functions functions = {
    .version = PyAwaitable_CAPSULE_VERSION,
    .get_type = aw_awaitable_get_type,
    .new_awaitable = aw_awaitable_new,
    .add_await = aw_add_await,
    .add_expr = aw_add_expr,
    .add_await_result = aw_add_await_result,
    .insert_await = aw_insert_await,
    .defer_await = aw_defer_await,
    .async_with = aw_async_with,
    .set_result = aw_set_result,
    .set_name = aw_awaitable_set_name,
    .cancel = aw_cancel,
    .save_values = aw_save_values,
    .unpack_values = aw_unpack_values,
    .get_value = aw_get_value,
    .set_value = aw_set_value,
    .save_arb_values = aw_save_arb_values,
    .unpack_arb_values = aw_unpack_arb_values,
    .get_arb_value = aw_get_arb_value,
    .set_arb_value = aw_set_arb_value,
    .set_step = aw_set_step,
    .step_await = aw_step_await,
    .parse_args = aw_parse_args,
    .unpack_args = aw_unpack_args,
    .add_queue_get = aw_add_queue_get,
    .add_sleep = aw_add_sleep,
    .add_timeout = aw_add_timeout,
    .add_fd = aw_add_fd,
    .add_completion = aw_add_completion,
    .complete = aw_completion_complete,
    .abandon = aw_completion_abandon,
};

int aw_capsule_setup(PyObject *module)
{
    PyObject *capsule =
        PyCapsule_New((void *)&functions, PyAwaitable_CAPSULE, NULL);
    int result = PyModule_AddObjectRef(module, "awaitable", capsule);

    Py_XDECREF(capsule);
    return result;
}
