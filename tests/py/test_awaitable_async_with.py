"""`async with` from C."""

from __future__ import annotations

import asyncio
from unittest import mock

import pytest
from coroutines import failing, finish, logged, noting, pause, probe, ready

pytestmark = pytest.mark.extension


class Context:
    """Logs what becomes of it."""

    def __init__(self, value="value", swallow=None, log=None):
        self.value = value
        self.swallow = swallow
        self.log = [] if log is None else log

    async def __aenter__(self):
        await pause()
        self.log.append("enter")
        return self.value

    async def __aexit__(self, kind, error, tb):
        await pause()
        self.log.append(("exit", kind, error, tb is not None))
        return self.swallow


CLEAN_EXIT = ("exit", None, None, False)


def within(context, cb=None, err=None):
    aw = probe.new()
    probe.async_with(aw, context, cb, err)
    return aw


def test_async_with_enters_and_exits():
    context = Context()
    finish(within(context))
    assert context.log == ["enter", CLEAN_EXIT]


def test_async_with_does_nothing_before_it_is_awaited():
    context = Context()
    aw = within(context)
    assert context.log == []
    finish(aw)


def test_async_with_gives_the_callback_the_outer_awaitable_and_the_value():
    seen = []
    aw = within(Context(), lambda *arguments: seen.append(arguments))
    finish(aw)
    assert seen == [(aw, "value")]


def test_async_with_calls_its_body_between_enter_and_exit():
    context = Context()
    finish(within(context, lambda aw, _: context.log.append("body")))
    assert context.log == ["enter", "body", CLEAN_EXIT]


def test_async_with_has_inserted_steps_as_its_body():
    context = Context()

    def body(aw, _):
        probe.insert_await(aw, logged(context.log, "awaited"))

    finish(within(context, body))
    assert context.log == ["enter", "awaited", CLEAN_EXIT]


def test_async_with_has_steps_inserted_by_inserted_ones_as_its_body():
    context = Context()

    def deeper(aw, _):
        probe.insert_await(aw, logged(context.log, "deeper"))

    def body(aw, _):
        probe.insert_await(aw, logged(context.log, "awaited"), deeper)

    finish(within(context, body))
    assert context.log == ["enter", "awaited", "deeper", CLEAN_EXIT]


def test_async_with_precedes_the_steps_behind():
    context = Context()
    aw = within(context)
    probe.add_await(aw, logged(context.log, "behind"))
    finish(aw)
    assert context.log == ["enter", CLEAN_EXIT, "behind"]


def test_async_with_has_steps_added_by_its_body_behind_it():
    context = Context()

    def body(aw, _):
        probe.add_await(aw, logged(context.log, "added"))

    finish(within(context, body))
    assert context.log == ["enter", CLEAN_EXIT, "added"]


def test_async_with_lets_the_body_set_the_result():
    assert finish(within(Context(), "set_result")) == "value"


def test_async_with_tells_exit_of_the_bodys_exception():
    context = Context()
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        finish(within(context, lambda aw, _: (-1, error)))
    assert raised.value is error
    kind, given, _ = context.log[1][1:]
    assert (kind, given) == (ValueError, error)


def test_async_with_gives_exit_the_traceback():
    context = Context()

    def body(aw, _):
        raise ValueError

    with pytest.raises(ValueError):
        finish(within(context, body))
    assert context.log[1][3] is True


def test_async_with_tells_exit_of_an_inserted_steps_exception():
    context = Context()
    error = ValueError()
    with pytest.raises(ValueError):
        finish(
            within(
                context, lambda aw, _: probe.insert_await(aw, failing(error))
            )
        )
    assert context.log[1][1:3] == (ValueError, error)


@pytest.mark.parametrize("swallow", [True, 1, "yes", [0]])
def test_async_with_swallows_when_exit_says_so(swallow):
    context = Context(swallow=swallow)
    log = []
    aw = within(context, "fail")
    probe.add_await(aw, ready("behind"), noting(log))
    finish(aw)
    assert log == ["behind"]


@pytest.mark.parametrize("swallow", [False, None, 0, "", []])
def test_async_with_raises_when_exit_says_so(swallow):
    with pytest.raises(ValueError, match="in C"):
        finish(within(Context(swallow=swallow), "fail"))


def test_async_with_gives_the_error_callback_what_exit_leaves():
    log = []
    finish(within(Context(), "fail", noting(log)))
    assert [str(error) for error in log] == ["in C"]


def test_async_with_does_not_call_the_error_callback_for_what_is_swallowed():
    log = []
    finish(within(Context(swallow=True), "fail", noting(log)))
    assert log == []


def test_async_with_calls_the_error_callback_after_exit():
    context = Context()
    finish(
        within(context, "fail", lambda aw, _: context.log.append("error"))
    )
    assert context.log[-1] == "error"


def test_async_with_awaits_exit_of_minus_2_too():
    """-2 passes the error callback by, and never the exit."""
    context = Context()
    log = []
    error = ValueError()
    with pytest.raises(ValueError):
        finish(within(context, lambda aw, _: (-2, error), noting(log)))
    assert context.log[1][1:3] == (ValueError, error)
    assert log == []


class BadEnter(Context):
    async def __aenter__(self):
        raise KeyError("enter")


class BadExit(Context):
    async def __aexit__(self, *_):
        raise KeyError("exit")


def test_async_with_gives_the_error_callback_what_enter_raises():
    context, log = BadEnter(), []
    finish(within(context, noting(log), noting(log)))
    assert [repr(error) for error in log] == ["KeyError('enter')"]


def test_async_with_does_not_exit_what_was_not_entered():
    context = BadEnter()
    with pytest.raises(KeyError):
        finish(within(context))
    assert context.log == []


def test_async_with_gives_the_error_callback_what_exit_raises():
    log = []
    finish(within(BadExit(), None, noting(log)))
    assert [repr(error) for error in log] == ["KeyError('exit')"]


def test_async_with_has_the_bodys_exception_as_context_of_what_exit_raises():
    with pytest.raises(KeyError) as raised:
        finish(within(BadExit(), "fail"))
    assert isinstance(raised.value.__context__, ValueError)


class BadExitCall(Context):
    def __aexit__(self, *_):
        raise KeyError("exit")


def test_async_with_has_it_as_context_of_what_calling_exit_raises_too():
    with pytest.raises(KeyError) as raised:
        finish(within(BadExitCall(), "fail"))
    assert isinstance(raised.value.__context__, ValueError)


def test_async_with_exits_when_thrown_at_in_its_body():
    context = Context()
    body = lambda aw, _: probe.insert_await(aw, pause("body"))  # noqa: E731
    aw = within(context, body)
    aw.send(None)
    assert aw.send(None) == "body"
    error = KeyError()
    aw.throw(error)  # suspends in __aexit__
    with pytest.raises(KeyError):
        aw.send(None)
    assert context.log[1][1:3] == (KeyError, error)


def test_async_with_exits_when_cancelled():
    context = Context()

    async def main():
        aw = within(
            context, lambda aw, _: probe.insert_await(aw, asyncio.sleep(1000))
        )
        task = asyncio.create_task(aw)
        while "enter" not in context.log:
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert context.log[1][1] is asyncio.CancelledError


def test_async_with_that_cancels_in_its_body_still_exits():
    context = Context()
    log = []
    aw = within(context, "cancel")
    probe.add_await(aw, logged(log, "dropped"))
    finish(aw)
    assert context.log == ["enter", CLEAN_EXIT]
    assert log == []


def test_async_with_that_cancels_and_fails_still_exits():
    context = Context()
    with pytest.raises(ValueError):
        finish(within(context, "fail_and_cancel"))
    assert context.log[1][1] is ValueError


def test_async_with_nests():
    log = []
    outer, inner = Context(log=log), Context(log=log)

    def enter_inner(aw, _):
        # The next step: inside the outer one's body.
        nested = probe.new()
        probe.async_with(nested, inner, lambda *_: log.append("body"))
        probe.insert_await(aw, nested)

    finish(within(outer, enter_inner))
    assert log == ["enter", "enter", "body", CLEAN_EXIT, CLEAN_EXIT]


def test_async_with_takes_a_timeout():
    async def main():
        aw = within(
            asyncio.timeout(0.001),
            lambda aw, _: probe.insert_await(aw, asyncio.sleep(1000)),
            lambda aw, e: probe.set_result(aw, type(e)),
        )
        return await aw

    assert asyncio.run(main()) is TimeoutError


def test_async_with_takes_a_lock():
    async def main():
        lock = asyncio.Lock()
        held = []
        await within(lock, lambda aw, _: held.append(lock.locked()))
        return held, lock.locked()

    assert asyncio.run(main()) == ([True], False)


class NoExit:
    async def __aenter__(self):
        pass


class NoEnter:
    async def __aexit__(self, *_):
        pass


class OnTheInstance:
    """Special methods are those of the type."""

    def __init__(self):
        self.__aenter__ = self.__aexit__ = None


@pytest.mark.parametrize(
    "what", [None, 5, NoExit(), NoEnter(), OnTheInstance(), open, Context]
)
def test_async_with_of_what_is_no_context_manager_is_a_type_error(what):
    aw = probe.new()
    with pytest.raises(TypeError):
        probe.async_with(aw, what)
    finish(aw)


def test_async_with_null_is_a_value_error():
    aw = probe.new()
    with pytest.raises(ValueError):
        probe.add_nothing(aw, "with")
    finish(aw)


def test_async_with_whose_enter_cannot_be_awaited_is_a_type_error():
    class Plain(Context):
        def __aenter__(self):
            return 5

    with pytest.raises(TypeError):
        finish(within(Plain()))


def test_async_with_whose_exit_cannot_be_awaited_is_a_type_error():
    class Plain(Context):
        def __aexit__(self, *_):
            return 5

    with pytest.raises(TypeError):
        finish(within(Plain()))


def test_async_with_whose_exit_has_no_truth_raises_what_that_raises():
    class Nothing:
        def __bool__(self):
            raise KeyError("no truth")

    with pytest.raises(KeyError, match="no truth"):
        finish(within(Context(swallow=Nothing()), "fail"))


def test_async_with_that_was_never_awaited_enters_nothing():
    context = Context()
    aw = within(context)
    probe.cancel(aw)
    del aw
    assert context.log == []


class Unbound:
    @staticmethod
    async def __aenter__():
        return "static"

    @classmethod
    async def __aexit__(cls, *arguments):
        assert len(arguments) == 3
        return cls is Unbound


def test_async_with_takes_static_and_class_methods():
    assert finish(within(Unbound(), "set_result")) == "static"
    assert finish(within(Unbound(), "fail")) is None


def test_async_with_calls_a_mocks_methods_without_the_mock():
    context = mock.MagicMock()
    finish(within(context))
    context.__aenter__.assert_awaited_once_with()
    context.__aexit__.assert_awaited_once_with(None, None, None)


class Meta(type):
    async def __aenter__(cls):
        raise AssertionError

    async def __aexit__(cls, *_):
        raise AssertionError


def test_async_with_does_not_ask_the_metaclass():
    class Plain(metaclass=Meta):
        pass

    aw = probe.new()
    with pytest.raises(TypeError, match="asynchronous context manager"):
        probe.async_with(aw, Plain())
    aw.close()


@pytest.mark.parametrize("end", ["throw", "close"])
def test_async_with_interrupted_in_exit_tells_of_the_bodys_exception(end):
    seen = []
    body = ValueError("in the body")
    aw = within(Context(), lambda aw, _: (-1, body), noting(seen, -1))
    assert [aw.send(None), aw.send(None)] == [None, None]
    if end == "close":
        aw.close()
    else:
        with pytest.raises(KeyError):
            aw.throw(KeyError())
    assert seen[0].__context__ is body
