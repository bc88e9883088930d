"""The examples of the documents that the API goes back to do what those say,
and code written for PyAwaitable compiles unchanged, as C and as C++."""

from __future__ import annotations

import asyncio

import awaitable_documents as documents
import forwarded_c
import forwarded_cpp
import pytest
from coroutines import failing, finish, ready

pytestmark = pytest.mark.extension


# ---- trampoline, module_do_something ----


def test_trampoline_returns_what_it_awaits():
    async def coro():
        return await asyncio.sleep(0, 42)

    assert asyncio.run(documents.trampoline(coro())) == 42


def test_trampoline_without_a_callback_awaits_and_discards():
    ran = []

    async def coro():
        await asyncio.sleep(0)
        ran.append(True)
        return 42

    assert asyncio.run(documents.trampoline_without_callback(coro())) is None
    assert ran == [True]


def test_module_do_something_calls_and_awaits():
    ran = []

    async def function():
        await asyncio.sleep(0)
        ran.append(True)

    asyncio.run(documents.module_do_something(function))
    assert ran == [True]


# ---- callbacks ----


def test_call_silly_prints_its_value(capsys):
    async def silly():
        await asyncio.sleep(0)
        return 42

    asyncio.run(documents.call_silly(silly))
    assert capsys.readouterr().out == "silly() returned: 42\n"


def test_call_silly_passes_on_what_the_call_raises():
    with pytest.raises(TypeError):
        documents.call_silly(5)


def test_awaitable_add_await_prints_and_gives_ten(capsys):
    async def proxy():
        print("proxy!!")
        return 42

    async def transport():
        awaitable = documents.awaitable_new()
        documents.awaitable_add_await(awaitable, proxy())
        print("result:", await awaitable)

    asyncio.run(transport())
    assert capsys.readouterr().out == (
        "proxy!!\nhello, world!\n42\nresult: 10\n"
    )


def test_awaitable_add_await_checks_its_arguments():
    with pytest.raises(TypeError):
        documents.awaitable_add_await(None, ready())
    awaitable = documents.awaitable_new()
    with pytest.raises(TypeError, match="must be a coroutine"):
        documents.awaitable_add_await(awaitable, 5)
    finish(awaitable)


def test_module_something_uses_its_arguments_in_the_callback():
    async def foo():
        return await asyncio.sleep(0, 100)

    awaitable = documents.module_something(1, 2, foo, lambda value: value * 2)
    assert asyncio.run(awaitable) == 206


def test_module_something_refuses_wrong_arguments():
    with pytest.raises(TypeError):
        documents.module_something(1, 2, 3)


def test_module_something_passes_on_what_bar_raises():
    async def foo():
        return 1

    def bar(value):
        raise KeyError(value)

    with pytest.raises(KeyError, match="4"):
        finish(documents.module_something(1, 2, foo, bar))


# ---- is_api_reachable ----


def await_it(make_request):
    async def main():
        return await documents.is_api_reachable(make_request)

    return asyncio.run(main())


def run_as_task(make_request):
    async def main():
        aw = documents.is_api_reachable(make_request)
        return await asyncio.create_task(aw)

    return asyncio.run(main())


on_both_ways = pytest.mark.parametrize("run", [await_it, run_as_task])


@on_both_ways
def test_is_api_reachable_is_true(run):
    async def make_request():
        async with asyncio.timeout(10):
            return await asyncio.sleep(0, "...")

    assert run(make_request) is True


@on_both_ways
def test_is_api_reachable_is_false_after_a_timeout(run):
    async def make_request():
        async with asyncio.timeout(0.001):
            await asyncio.sleep(1000)
            return "..."

    assert run(make_request) is False


@on_both_ways
def test_is_api_reachable_is_false_after_a_timeout_in_wait_for(run):
    async def make_request():
        await asyncio.wait_for(asyncio.sleep(1000), 0.001)

    assert run(make_request) is False


@on_both_ways
@pytest.mark.parametrize("kind", [ValueError, OSError, KeyboardInterrupt])
def test_is_api_reachable_lets_others_propagate(run, kind):
    async def make_request():
        await asyncio.sleep(0)
        raise kind("not a timeout")

    with pytest.raises(kind, match="not a timeout"):
        run(make_request)


def test_is_api_reachable_lets_cancellation_propagate():
    async def main():
        task = asyncio.create_task(
            documents.is_api_reachable(lambda: asyncio.sleep(1000))
        )
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())


# ---- log_or_propagate ----


def test_logged_value():
    lines = []

    async def function():
        return lines.append

    finish(documents.log_or_propagate(function))
    assert lines == ["LOG: Got value"]


def test_logger_that_fails_passes_the_error_callback_by(capsys):
    def logger(line):
        raise MemoryError(line)

    async def function():
        return logger

    with pytest.raises(MemoryError):
        finish(documents.log_or_propagate(function))
    assert capsys.readouterr().err == ""


def test_coroutine_that_fails_is_printed_and_dealt_with(capsys):
    finish(documents.log_or_propagate(lambda: failing(ValueError("shown"))))
    assert "ValueError: shown" in capsys.readouterr().err


# ---- pyawaitable.h ----

forwarded = pytest.mark.parametrize("module", [forwarded_c, forwarded_cpp])


@forwarded
def test_code_for_pyawaitable_gets_results(module):
    assert finish(module.plus_one(ready(41))) == 42


@forwarded
def test_code_for_pyawaitable_gets_errors(module):
    error = ValueError()
    with pytest.raises(ValueError) as raised:
        finish(module.plus_one(failing(error)))
    assert raised.value is error


@forwarded
def test_code_for_pyawaitable_has_its_functions_as_callbacks(module):
    assert finish(module.same(ready(42))) == 42


@forwarded
def test_code_for_pyawaitable_keeps_values(module):
    value = object()
    assert finish(module.remember(value)) is value


@forwarded
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_extensions_share_one_type(module):
    assert type(module.remember(1)) is type(documents.awaitable_new())


def test_awaitables_of_two_extensions_await_each_other():
    inner = forwarded_c.plus_one(ready(40))
    assert finish(forwarded_cpp.plus_one(inner)) == 42
