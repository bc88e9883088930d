"""The exceptions: what they derive from, and what they carry."""

from __future__ import annotations

import asyncio
import copy
import errno
import pickle
from collections.abc import Callable

import pytest

import awaitd

pytestmark = pytest.mark.extension

ALL = [
    awaitd.Error,
    awaitd.QueueEmpty,
    awaitd.QueueClosed,
    awaitd.DeviceError,
    awaitd.DeviceLost,
    awaitd.DeviceDown,
    awaitd.SendTimeout,
    awaitd.SendQueueFull,
    awaitd.ConfigError,
]


@pytest.mark.parametrize("error", ALL)
def test_error_is_an_awaitd_error(error: type[BaseException]) -> None:
    assert issubclass(error, awaitd.Error)
    assert issubclass(error, Exception)


@pytest.mark.parametrize(
    ("error", "base"),
    [
        (awaitd.QueueEmpty, asyncio.QueueEmpty),
        (awaitd.DeviceError, OSError),
        (awaitd.DeviceLost, awaitd.DeviceError),
        (awaitd.DeviceDown, awaitd.DeviceError),
        (awaitd.SendTimeout, TimeoutError),
        (awaitd.ConfigError, ValueError),
    ],
)
def test_error_is_also_what_python_calls_it(
    error: type[BaseException], base: type[BaseException]
) -> None:
    assert issubclass(error, base)


def test_queue_closed_is_no_os_error() -> None:
    assert not issubclass(awaitd.QueueClosed, (OSError, EOFError))


@pytest.mark.parametrize("error", ALL)
def test_error_names_itself_as_awaitds(error: type[BaseException]) -> None:
    assert error.__module__ == "awaitd"
    assert getattr(awaitd, error.__name__) is error


@pytest.mark.parametrize("error", ALL)
def test_error_says_when_it_is_raised(error: type[BaseException]) -> None:
    assert error.__doc__ is not None
    assert error.__doc__.strip().endswith((".", '"".'))


def test_device_error_of_errno_and_sentence_carries_both() -> None:
    error = awaitd.DeviceError(errno.ENODEV, "CANbus: no such interface")
    assert error.errno == errno.ENODEV
    assert error.strerror == "CANbus: no such interface"
    assert "CANbus: no such interface" in str(error)


def test_device_error_of_any_errno_keeps_its_class() -> None:
    """OSError itself turns into FileNotFoundError and the like."""
    assert type(awaitd.DeviceError(errno.ENOENT, "x")) is awaitd.DeviceError


def test_error_made_by_hand_has_empty_attributes() -> None:
    assert awaitd.QueueClosed("x").reason == ""
    assert awaitd.DeviceLost(errno.ENODEV, "x").device == ""
    assert awaitd.DeviceDown(errno.ENETDOWN, "x").advice == ""


def through_pickle(error: awaitd.Error) -> awaitd.Error:
    back = pickle.loads(pickle.dumps(error))
    assert isinstance(back, awaitd.Error)
    return back


@pytest.mark.parametrize("again", [copy.copy, through_pickle])
def test_device_error_copied_keeps_its_attributes(
    again: Callable[[awaitd.DeviceLost], awaitd.DeviceLost],
) -> None:
    error = awaitd.DeviceLost(errno.ENODEV, "gone")
    error.device, error.advice = "CANbus", "plug it in"
    other = again(error)
    assert type(other) is awaitd.DeviceLost
    assert (other.errno, other.strerror) == (errno.ENODEV, "gone")
    assert (other.device, other.advice) == ("CANbus", "plug it in")


def test_queue_closed_pickled_keeps_its_reason() -> None:
    error = awaitd.QueueClosed("at its end")
    error.reason = "end"
    other = through_pickle(error)
    assert isinstance(other, awaitd.QueueClosed)
    assert (other.args, other.reason) == (("at its end",), "end")
