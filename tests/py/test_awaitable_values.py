"""State that an awaitable carries between its steps, and parsed arguments."""

from __future__ import annotations

import gc
import sys

import pytest
from coroutines import awaiting, finish, probe, ready

pytestmark = pytest.mark.extension


@pytest.fixture
def aw():
    aw = probe.new()
    yield aw
    probe.cancel(aw)


# ---- objects ----


def test_values_come_back_in_order(aw):
    probe.save_values(aw, 1, "two", None)
    assert probe.unpack_values(aw) == (1, "two", None)


def test_values_are_the_very_objects(aw):
    values = [object(), object(), object()]
    probe.save_values(aw, *values)
    assert all(a is b for a, b in zip(probe.unpack_values(aw), values))


def test_values_saved_later_come_behind(aw):
    probe.save_values(aw, 1)
    probe.save_values(aw, 2, 3)
    assert probe.unpack_values(aw) == (1, 2, 3)


def test_values_saved_with_a_null_among_them_are_a_value_error(aw):
    probe.save_values(aw, 1)
    with pytest.raises(ValueError):
        probe.save_null(aw)
    with pytest.raises(IndexError):
        probe.get_value(aw, 1)


def test_values_unpacked_into_null_are_skipped(aw):
    probe.save_values(aw, 1, 2, 3)
    assert probe.unpack_outer_values(aw) == (1, 3)


def test_values_may_be_unpacked_again(aw):
    probe.save_values(aw, 1, 2, 3)
    probe.unpack_values(aw)
    assert probe.unpack_values(aw) == (1, 2, 3)


def test_values_never_saved_are_a_runtime_error(aw):
    with pytest.raises(RuntimeError):
        probe.unpack_values(aw)


def test_values_are_there_in_a_callback():
    seen = []
    aw = awaiting(ready(), lambda aw, _: seen.append(probe.unpack_values(aw)))
    probe.save_values(aw, 1, 2, 3)
    finish(aw)
    assert seen == [(1, 2, 3)]


def test_many_values_are_kept(aw):
    for number in range(1000):
        probe.save_values(aw, str(number))
    for index in (0, 500, 999):
        assert probe.get_value(aw, index) == str(index)


def test_get_value_by_index(aw):
    probe.save_values(aw, "a", "b", "c")
    assert [probe.get_value(aw, i) for i in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize("index", [3, 4, -1, -4, sys.maxsize, -sys.maxsize - 1])
def test_get_value_outside_is_an_index_error(aw, index):
    probe.save_values(aw, 1, 2, 3)
    with pytest.raises(IndexError):
        probe.get_value(aw, index)


def test_get_value_without_any_is_an_index_error(aw):
    with pytest.raises(IndexError):
        probe.get_value(aw, 0)


def test_set_value_replaces_one(aw):
    probe.save_values(aw, 1, 2, 3)
    probe.set_value(aw, 1, "new")
    assert probe.unpack_values(aw) == (1, "new", 3)


@pytest.mark.parametrize("index", [3, -1, sys.maxsize, -sys.maxsize - 1])
def test_set_value_outside_is_an_index_error(aw, index):
    probe.save_values(aw, 1, 2, 3)
    with pytest.raises(IndexError):
        probe.set_value(aw, index, "new")
    assert probe.unpack_values(aw) == (1, 2, 3)


def test_save_values_keeps_one_reference_each(aw):
    value = object()
    before = sys.getrefcount(value)
    probe.save_values(aw, value, value)
    assert sys.getrefcount(value) == before + 2


def test_set_value_lets_the_old_one_go(aw):
    old, new = object(), object()
    probe.save_values(aw, old)
    counts = sys.getrefcount(old), sys.getrefcount(new)
    probe.set_value(aw, 0, new)
    assert sys.getrefcount(old) == counts[0] - 1
    assert sys.getrefcount(new) == counts[1] + 1


def test_set_value_survives_what_the_old_ones_end_does(aw):
    """Its finaliser looks at the very place."""
    seen = []

    class Old:
        def __del__(self):
            seen.append(probe.get_value(aw, 0))

    probe.save_values(aw, Old())
    probe.set_value(aw, 0, "new")
    assert seen == ["new"]


def test_values_are_let_go_with_the_awaitable():
    value = object()
    before = sys.getrefcount(value)
    aw = probe.new()
    probe.save_values(aw, value)
    finish(aw)
    del aw
    assert sys.getrefcount(value) == before


def test_values_are_seen_by_the_collector(aw):
    value = ["value"]
    probe.save_values(aw, value)
    assert any(it is value for it in gc.get_referents(aw))


# ---- void * ----


def test_arb_values_come_back_in_order(aw):
    probe.save_arb_values(aw, 5, -1)
    assert probe.unpack_arb_values(aw) == (5, -1)


def test_arb_values_unpacked_into_null_are_skipped(aw):
    probe.save_arb_values(aw, 1, 2)
    assert probe.unpack_last_arb_value(aw) == 2


def test_arb_values_may_be_null(aw):
    """A NULL is a value like others: no exception comes with it."""
    probe.save_arb_values(aw, 0, 1)
    assert probe.get_arb_value(aw, 0) == 0
    assert probe.unpack_arb_values(aw) == (0, 1)


def test_arb_values_never_saved_are_a_runtime_error(aw):
    with pytest.raises(RuntimeError):
        probe.unpack_arb_values(aw)


def test_arb_values_and_objects_are_apart(aw):
    probe.save_values(aw, "object")
    with pytest.raises(RuntimeError):
        probe.unpack_arb_values(aw)
    probe.save_arb_values(aw, 1, 2)
    assert probe.get_value(aw, 0) == "object"
    assert probe.get_arb_value(aw, 0) == 1


@pytest.mark.parametrize("index", [2, -1, sys.maxsize, -sys.maxsize - 1])
def test_get_arb_value_outside_is_an_index_error(aw, index):
    probe.save_arb_values(aw, 1, 2)
    with pytest.raises(IndexError):
        probe.get_arb_value(aw, index)


def test_set_arb_value_replaces_one(aw):
    probe.save_arb_values(aw, 1, 2)
    probe.set_arb_value(aw, 0, 7)
    assert probe.unpack_arb_values(aw) == (7, 2)


@pytest.mark.parametrize("index", [2, -1, sys.maxsize, -sys.maxsize - 1])
def test_set_arb_value_outside_is_an_index_error(aw, index):
    probe.save_arb_values(aw, 1, 2)
    with pytest.raises(IndexError):
        probe.set_arb_value(aw, index, 7)
    assert probe.unpack_arb_values(aw) == (1, 2)


# ---- ParseArgs ----


def test_parse_args_fills_variables_as_python_does(aw):
    assert probe.parse_args(aw, (1, 2, "x", None)) == (1, 2, "x", None)


def test_parse_args_keeps_the_values_for_later_steps():
    seen = []
    aw = awaiting(ready(), lambda aw, _: seen.append(probe.unpack_args(aw)))
    probe.parse_args(aw, (1, 2, "x", ["y"]))
    finish(aw)
    assert seen == [(1, 2, "x", ["y"])]


def test_parse_args_keeps_what_it_borrowed_alive():
    class Object:
        pass

    aw = probe.new()
    arguments = (1, 2, Object(), Object())
    kinds = [type(it) for it in arguments]
    probe.parse_args(aw, arguments)
    del arguments
    gc.collect()
    assert [type(it) for it in probe.unpack_args(aw)] == kinds
    finish(aw)


def test_parse_args_lets_go_with_the_awaitable():
    value = object()
    before = sys.getrefcount(value)
    aw = probe.new()
    probe.parse_args(aw, (1, 2, value, value))
    finish(aw)
    del aw
    assert sys.getrefcount(value) == before


def test_parse_args_knows_strings_and_types(aw):
    assert probe.parse_text(aw, ("text", [1])) == ("text", [1])


@pytest.mark.parametrize(
    "arguments",
    [(), (1, 2, 3), (1, 2, 3, 4, 5), ("a", 2, 3, 4), (1, 2.5, 3, 4)],
)
def test_parse_args_refuses_what_python_refuses(aw, arguments):
    with pytest.raises(TypeError):
        probe.parse_args(aw, arguments)


def test_parse_args_passes_on_an_overflow(aw):
    with pytest.raises(OverflowError):
        probe.parse_args(aw, (2**40, 2, 3, 4))


def test_parse_args_of_another_type_is_a_type_error(aw):
    with pytest.raises(TypeError):
        probe.parse_text(aw, ("text", {}))


def test_unpack_args_without_parsed_ones_is_a_runtime_error(aw):
    with pytest.raises(RuntimeError):
        probe.unpack_args(aw)


def test_unpack_args_after_a_refusal_is_a_runtime_error(aw):
    with pytest.raises(TypeError):
        probe.parse_args(aw, ())
    with pytest.raises(RuntimeError):
        probe.unpack_args(aw)


def test_parsed_arguments_are_seen_by_the_collector(aw):
    value = ["value"]
    arguments = (1, 2, value, None)
    probe.parse_args(aw, arguments)
    assert any(it is arguments for it in gc.get_referents(aw))
