/* A pool of threads without the GIL that complete what they are given, as soon
 * as they can, in an order that nobody knows. */
#include "waits.h"

#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#define YIELD_MOST_NS INT64_C(1000000)

enum { THREADS_MAX = 16 };

struct order {
    PyAwaitable_Completion *completion;
    void *value;    /* NULL: abandon */
    unsigned turns; /* how often to yield the processor before, at most */
    struct order *next;
};

static struct {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct order *orders;
    int stopping;
    pthread_t threads[THREADS_MAX];
    int count;
} pool = {.lock = PTHREAD_MUTEX_INITIALIZER,
          .changed = PTHREAD_COND_INITIALIZER};

static struct order *next_order(void)
{
    struct order *order;

    pthread_mutex_lock(&pool.lock);
    while (!pool.orders && !pool.stopping)
        pthread_cond_wait(&pool.changed, &pool.lock);
    order = pool.orders;
    if (order)
        pool.orders = order->next;
    pthread_mutex_unlock(&pool.lock);
    return order;
}

static int64_t now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * INT64_C(1000000000) + now.tv_nsec;
}

/* On a busy machine one of them lasts for as long as all should. */
static void yield_some(unsigned turns)
{
    int64_t end_ns = now_ns() + YIELD_MOST_NS;

    while (turns-- > 0 && now_ns() < end_ns)
        sched_yield();
}

static void *work(void *unused)
{
    struct order *order;

    (void)unused;
    while ((order = next_order())) {
        yield_some(order->turns);
        if (order->value)
            PyAwaitable_Complete(order->completion, order->value);
        else
            PyAwaitable_Abandon(order->completion);
        free(order);
    }
    return NULL;
}

/* pool_start(threads) */
static PyObject *pool_start(PyObject *module, PyObject *argument)
{
    long count = PyLong_AsLong(argument);

    (void)module;
    if (PyErr_Occurred())
        return NULL;
    pool.stopping = 0;
    for (pool.count = 0; pool.count < count && pool.count < THREADS_MAX;
         pool.count++) {
        if (pthread_create(&pool.threads[pool.count], NULL, work, NULL))
            break;
    }
    return PyLong_FromLong(pool.count);
}

/* pool_submit(handle, number, turns); None as the number abandons. */
static PyObject *pool_submit(PyObject *module, PyObject *arguments)
{
    PyObject *handle, *number;
    struct order *order;
    unsigned turns;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "OOI", &handle, &number, &turns))
        return NULL;
    order = calloc(1, sizeof(*order));
    if (!order)
        return PyErr_NoMemory();
    order->turns = turns;
    if (number != Py_None)
        order->value = threads_value_new(PyLong_AsLong(number));
    order->completion = threads_take_handle(handle);
    if (!order->completion) {
        free(order->value);
        free(order);
        return NULL;
    }
    pthread_mutex_lock(&pool.lock);
    order->next = pool.orders;
    pool.orders = order;
    pthread_cond_signal(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
    Py_RETURN_NONE;
}

/* pool_stop(): when all is completed. */
static PyObject *pool_stop(PyObject *module, PyObject *unused)
{
    (void)module;
    (void)unused;
    Py_BEGIN_ALLOW_THREADS
    pthread_mutex_lock(&pool.lock);
    pool.stopping = 1;
    pthread_cond_broadcast(&pool.changed);
    pthread_mutex_unlock(&pool.lock);
    while (pool.count > 0)
        pthread_join(pool.threads[--pool.count], NULL);
    Py_END_ALLOW_THREADS
    Py_RETURN_NONE;
}

PyMethodDef threads_pool_functions[] = {
    {"pool_start", pool_start, METH_O, NULL},
    {"pool_submit", pool_submit, METH_VARARGS, NULL},
    {"pool_stop", pool_stop, METH_NOARGS, NULL},
    {NULL, NULL, 0, NULL},
};
