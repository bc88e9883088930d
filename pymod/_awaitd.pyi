"""The C extension below the package awaitd, which re-exports all of it."""

import asyncio
from collections.abc import (
    Callable,
    Coroutine,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from types import GenericAlias, TracebackType
from typing import (
    Any,
    Final,
    Generic,
    Literal,
    SupportsIndex,
    TypedDict,
    TypeVar,
    final,
    overload,
    type_check_only,
)

from _typeshed import ReadableBuffer, StrPath, structseq
from typing_extensions import Self, TypeAlias

__version__: str

_F = TypeVar("_F", bound=Frame | Gap | Event, covariant=True)

# What `data` may be: bytes-like, or integers from 0 to 255.
_Data: TypeAlias = ReadableBuffer | Iterable[SupportsIndex]

_LossCause: TypeAlias = Literal[
    "kernel",
    "overflow",
    "kernel+overflow",
    "away",
    "kernel+away",
    "overflow+away",
    "kernel+overflow+away",
]

_EventKind: TypeAlias = Literal[
    "link-up",
    "link-down",
    "bus-state",
    "restarted",
    "bitrate",
    "lost",
    "back",
    "timeout",
    "changed",
    "overrun",
    "missed",
    "other",
]

_BusState: TypeAlias = Literal[
    "error-active",
    "warning",
    "error-passive",
    "bus-off",
    "stopped",
    "sleeping",
]

# As the socket module has it: (host, port), and for IPv6 (host, port,
# flowinfo, scope_id).
_Address: TypeAlias = tuple[str, int] | tuple[str, int, int, int]

# ---- errors ----

class Error(Exception): ...
class QueueEmpty(Error, asyncio.QueueEmpty): ...

class QueueClosed(Error):
    reason: str  # "end", "closed" or "stopped"

class DeviceError(Error, OSError):
    device: str
    advice: str

class DeviceLost(DeviceError): ...
class DeviceDown(DeviceError): ...

class SendTimeout(Error, TimeoutError):
    device: str
    advice: str

class SendExpired(SendTimeout): ...

class SendQueueFull(Error):
    device: str
    advice: str

class ConfigError(Error, ValueError): ...

# ---- frames ----

# No class of yours can derive from it; ours below do.
@final
class Frame:
    def __new__(cls, data: _Data = b"") -> Self: ...
    @property
    def device(self) -> str: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def seq(self) -> int: ...
    @property
    def lost_before(self) -> int: ...
    @property
    def lost_cause(
        self,
    ) -> Literal[""] | _LossCause: ...
    @property
    def timestamp(self) -> float: ...
    @property
    def timestamp_ns(self) -> int: ...
    @property
    def timestamp_source(
        self,
    ) -> Literal["", "kernel", "hardware", "awaitd"]: ...
    @property
    def hw_timestamp_ns(self) -> int | None: ...
    @property
    def monotonic_ns(self) -> int: ...
    @property
    def data(self) -> bytes: ...
    @property
    def truncated(self) -> bool: ...
    @property
    def is_rx(self) -> bool: ...
    def age(self) -> float: ...
    def equals(
        self,
        other: Frame,
        timestamp_delta: float | None = None,
        check_channel: bool = False,
        check_direction: bool = False,
    ) -> bool: ...
    def __len__(self) -> int: ...
    def __bool__(self) -> Literal[True]: ...
    def __bytes__(self) -> bytes: ...
    def __copy__(self) -> Self: ...
    def __deepcopy__(self, memo: Any, /) -> Self: ...

@final
class CanFrame(Frame):  # type: ignore[misc]
    def __new__(
        cls,
        arbitration_id: SupportsIndex | None = 0,
        data: _Data | None = b"",
        *,
        is_extended_id: bool | None = None,
        is_remote_frame: bool = False,
        is_error_frame: bool = False,
        is_fd: bool = False,
        bitrate_switch: bool = False,
        error_state_indicator: bool = False,
        dlc: SupportsIndex | None = None,
        raw_dlc: SupportsIndex | None = None,
        timestamp: float = 0.0,
        channel: str | None = None,
        is_rx: bool = True,
    ) -> Self: ...
    @classmethod
    def parse(cls, text: str, /) -> Self: ...
    @property
    def arbitration_id(self) -> int: ...
    @property
    def dlc(self) -> int: ...
    @property
    def raw_dlc(self) -> int: ...
    @property
    def is_extended_id(self) -> bool: ...
    @property
    def is_remote_frame(self) -> bool: ...
    @property
    def is_error_frame(self) -> bool: ...
    @property
    def error(self) -> CanError | None: ...
    @property
    def is_fd(self) -> bool: ...
    @property
    def bitrate_switch(self) -> bool: ...
    @property
    def error_state_indicator(self) -> bool: ...
    @property
    def is_xl(self) -> bool: ...
    @property
    def sdt(self) -> int: ...
    @property
    def vcid(self) -> int: ...
    @property
    def acceptance_field(self) -> int: ...
    @property
    def xl_flags(self) -> int: ...

@final
class Datagram(Frame):  # type: ignore[misc]
    def __new__(
        cls, data: _Data, address: _Address | None = None
    ) -> Self: ...
    @property
    def address(self) -> _Address | None: ...
    @property
    def length(self) -> int: ...

# A message of SAE J1939; what is None is the device's own, or not known.
@final
class J1939Message(Frame):  # type: ignore[misc]
    def __new__(
        cls,
        data: _Data,
        pgn: int,
        destination_address: int | None = None,
        priority: int | None = None,
        *,
        destination_name: int | None = None,
    ) -> Self: ...
    @property
    def pgn(self) -> int: ...
    @property
    def source_address(self) -> int | None: ...
    @property
    def destination_address(self) -> int | None: ...
    @property
    def priority(self) -> int | None: ...
    @property
    def name(self) -> int | None: ...
    @property
    def destination_name(self) -> int | None: ...

@final
class EthernetFrame(Frame):  # type: ignore[misc]
    def __new__(cls, data: _Data) -> Self: ...
    @property
    def destination(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def ethertype(self) -> int | None: ...
    @property
    def vlan_tci(self) -> int | None: ...
    @property
    def vlan_id(self) -> int | None: ...
    @property
    def vlan_pcp(self) -> int | None: ...
    @property
    def vlan_dei(self) -> bool | None: ...
    @property
    def interface(self) -> str | None: ...
    @property
    def is_outgoing(self) -> bool: ...
    @property
    def length(self) -> int: ...

@final
class Gap(
    structseq[str | int], tuple[str, int, _LossCause, int, int]
):
    __match_args__: Final = ("device", "lost", "cause", "seq", "timestamp_ns")
    @property
    def device(self) -> str: ...
    @property
    def lost(self) -> int: ...
    @property
    def cause(self) -> _LossCause: ...
    @property
    def seq(self) -> int: ...
    @property
    def timestamp_ns(self) -> int: ...

@final
class CanProtocolError(
    structseq[tuple[str, ...] | str | None], tuple[tuple[str, ...], str | None]
):
    __match_args__: Final = ("violations", "location")
    @property
    def violations(self) -> tuple[str, ...]: ...
    @property
    def location(self) -> str | None: ...

@final
class CanError(
    structseq[Any],
    tuple[
        bool,
        int | None,
        tuple[str, ...],
        CanProtocolError | None,
        str | None,
        bool,
        bool,
        bool,
        bool,
        int | None,
        int | None,
    ],
):
    __match_args__: Final = (
        "tx_timeout",
        "lost_arbitration",
        "controller_state",
        "protocol",
        "transceiver",
        "no_ack",
        "bus_off",
        "bus_error",
        "restarted",
        "tx_errors",
        "rx_errors",
    )
    @property
    def tx_timeout(self) -> bool: ...
    @property
    def lost_arbitration(self) -> int | None: ...
    @property
    def controller_state(self) -> tuple[str, ...]: ...
    @property
    def protocol(self) -> CanProtocolError | None: ...
    @property
    def transceiver(self) -> str | None: ...
    @property
    def no_ack(self) -> bool: ...
    @property
    def bus_off(self) -> bool: ...
    @property
    def bus_error(self) -> bool: ...
    @property
    def restarted(self) -> bool: ...
    @property
    def tx_errors(self) -> int | None: ...
    @property
    def rx_errors(self) -> int | None: ...

# No class of yours can derive from it, nor can one be made by hand.
@final
class Event:
    __match_args__: Final = ("kind", "value", "detail")
    @property
    def kind(self) -> _EventKind: ...
    @property
    def value(self) -> int | str: ...
    @property
    def detail(self) -> int: ...
    @property
    def tx_errors(self) -> int | None: ...
    @property
    def rx_errors(self) -> int | None: ...
    @property
    def device(self) -> str: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def seq(self) -> int: ...
    @property
    def lost_before(self) -> int: ...
    @property
    def lost_cause(self) -> Literal[""] | _LossCause: ...
    @property
    def timestamp(self) -> float: ...
    @property
    def timestamp_ns(self) -> int: ...
    @property
    def monotonic_ns(self) -> int: ...

# A buffer of structs, one a slot; numpy.asarray() reads it.
@final
class Batch(Generic[_F]):
    @property
    def device(self) -> str: ...
    @property
    def lost(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    # numpy.dtype, for those who have numpy.
    @property
    def dtype(self) -> Any: ...
    def candump(self) -> str: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int, /) -> _F: ...
    def __iter__(self) -> Iterator[_F]: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    def __array__(self, dtype: Any = None, copy: bool | None = None) -> Any: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...

# ---- ledgers ----

@final
class QueueStats(
    structseq[int],
    tuple[int, int, int, int, int, int, int, int, int, int, int, int, int],
):
    __match_args__: Final = (
        "received",
        "filtered",
        "delivered",
        "dropped",
        "pending",
        "dropped_kernel",
        "dropped_overflow",
        "dropped_cleared",
        "dropped_closed",
        "high_water",
        "wakes",
        "stalls",
        "stalled_ns",
    )
    @property
    def received(self) -> int: ...
    @property
    def filtered(self) -> int: ...
    @property
    def delivered(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def pending(self) -> int: ...
    @property
    def dropped_kernel(self) -> int: ...
    @property
    def dropped_overflow(self) -> int: ...
    @property
    def dropped_cleared(self) -> int: ...
    @property
    def dropped_closed(self) -> int: ...
    @property
    def high_water(self) -> int: ...
    @property
    def wakes(self) -> int: ...
    @property
    def stalls(self) -> int: ...
    @property
    def stalled_ns(self) -> int: ...

@final
class SendStats(structseq[int], tuple[int, int, int, int, int, int]):
    __match_args__: Final = (
        "submitted",
        "sent",
        "expired",
        "timed_out",
        "failed",
        "pending",
    )
    @property
    def submitted(self) -> int: ...
    @property
    def sent(self) -> int: ...
    @property
    def expired(self) -> int: ...
    @property
    def timed_out(self) -> int: ...
    @property
    def failed(self) -> int: ...
    @property
    def pending(self) -> int: ...

@type_check_only
class _QueueReport(TypedDict):
    name: str
    script: str
    open: bool
    stats: QueueStats

@type_check_only
class _DeviceStats(TypedDict):
    queues: list[_QueueReport]
    send: SendStats

# ---- devices and queues ----

@type_check_only
class _FilterRequired(TypedDict):
    can_id: int
    can_mask: int

# As in python-can; `inverted` besides.
@type_check_only
class _Filter(_FilterRequired, total=False):
    extended: bool
    inverted: bool

# The second is what a checker makes of [{"can_id": 1, "can_mask": 1}] when it
# is assigned to a variable first.
_Filters: TypeAlias = Sequence[_Filter] | Sequence[Mapping[str, int]]

# What `await` takes is typed as a coroutine: it has send, throw and close, so
# that asyncio.create_task() and TaskGroup.create_task() take it too.

_Overflow: TypeAlias = Literal["drop-newest", "drop-oldest", "latest", "block"]

class Device(Generic[_F]):
    @property
    def name(self) -> str: ...
    @property
    def driver(self) -> str: ...
    @property
    def kind(self) -> Literal["can", "datagram", "j1939", "ethernet", "bytes"]: ...
    @property
    def closed(self) -> bool: ...
    @property
    def send_depth(self) -> int: ...
    @property
    def state(
        self,
    ) -> Literal["up", "down", "lost", "waiting", "closed"]: ...
    @property
    def carrier(self) -> bool | None: ...
    @property
    def bus_state(self) -> _BusState | None: ...
    @property
    def kernel_filter(self) -> bool: ...
    @property
    def failure(self) -> int | None: ...
    @property
    def bitrate(self) -> int | None: ...
    @property
    def dbitrate(self) -> int | None: ...
    @property
    def restart_ms(self) -> int | None: ...
    @property
    def tx_errors(self) -> int: ...
    @property
    def rx_errors(self) -> int: ...
    @property
    def bus_offs(self) -> int: ...
    @property
    def restarts(self) -> int: ...
    @property
    def lost(self) -> int: ...
    @property
    def reopened(self) -> int: ...
    @property
    def overruns(self) -> int: ...
    @property
    def missed(self) -> int: ...
    @property
    def late_max_ns(self) -> int: ...
    @overload
    def queue(
        self,
        filters: _Filters | None = None,
        name: str | None = None,
        depth: int | None = None,
        overflow: _Overflow = "drop-newest",
        budget_us: int = 0,
        gaps: Literal[False] = False,
        wakeup: Literal["bridge", "fd"] | None = None,
        events: Literal[False] = False,
        filters_joined: bool = False,
    ) -> Queue[_F]: ...
    @overload
    def queue(
        self,
        filters: _Filters | None = None,
        name: str | None = None,
        depth: int | None = None,
        overflow: _Overflow = "drop-newest",
        budget_us: int = 0,
        *,
        gaps: Literal[True],
        wakeup: Literal["bridge", "fd"] | None = None,
        events: Literal[False] = False,
        filters_joined: bool = False,
    ) -> Queue[_F | Gap]: ...
    @overload
    def queue(
        self,
        filters: _Filters | None = None,
        name: str | None = None,
        depth: int | None = None,
        overflow: _Overflow = "drop-newest",
        budget_us: int = 0,
        gaps: Literal[False] = False,
        wakeup: Literal["bridge", "fd"] | None = None,
        *,
        events: Literal[True],
        filters_joined: bool = False,
    ) -> Queue[_F | Event]: ...
    @overload
    def queue(
        self,
        filters: _Filters | None = None,
        name: str | None = None,
        depth: int | None = None,
        overflow: _Overflow = "drop-newest",
        budget_us: int = 0,
        *,
        gaps: Literal[True],
        wakeup: Literal["bridge", "fd"] | None = None,
        events: Literal[True],
        filters_joined: bool = False,
    ) -> Queue[_F | Gap | Event]: ...
    @overload
    def send(
        self,
        frame: Frame | ReadableBuffer,
        timeout: float | None = None,
        wait: bool = False,
        confirm: Literal[False] = False,
        expires: float | None = None,
    ) -> Coroutine[Any, Any, None]: ...
    @overload
    def send(
        self,
        frame: Frame | ReadableBuffer,
        timeout: float | None = None,
        wait: bool = False,
        *,
        confirm: Literal[True],
        expires: float | None = None,
    ) -> Coroutine[Any, Any, _F]: ...
    def send_nowait(
        self,
        frame: Frame | ReadableBuffer,
        timeout: float | None = None,
        wait: bool = False,
        expires: float | None = None,
    ) -> None: ...
    @overload
    def send_many(
        self,
        frames: Iterable[Frame | ReadableBuffer],
        timeout: float | None = None,
        wait: bool = False,
        confirm: Literal[False] = False,
        expires: float | None = None,
        return_exceptions: Literal[False] = False,
    ) -> Coroutine[Any, Any, None]: ...
    @overload
    def send_many(
        self,
        frames: Iterable[Frame | ReadableBuffer],
        timeout: float | None = None,
        wait: bool = False,
        *,
        confirm: Literal[True],
        expires: float | None = None,
        return_exceptions: Literal[False] = False,
    ) -> Coroutine[Any, Any, list[_F]]: ...
    @overload
    def send_many(
        self,
        frames: Iterable[Frame | ReadableBuffer],
        timeout: float | None = None,
        wait: bool = False,
        confirm: Literal[False] = False,
        expires: float | None = None,
        *,
        return_exceptions: Literal[True],
    ) -> Coroutine[Any, Any, list[Exception | None]]: ...
    @overload
    def send_many(
        self,
        frames: Iterable[Frame | ReadableBuffer],
        timeout: float | None = None,
        wait: bool = False,
        *,
        confirm: Literal[True],
        expires: float | None = None,
        return_exceptions: Literal[True],
    ) -> Coroutine[Any, Any, list[Exception | _F]]: ...
    def stats(self) -> _DeviceStats: ...
    def close(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    # For the daemon's host of scripts: is it waiting for them (start=ready)?
    @property
    def _held(self) -> bool: ...
    def _release(self) -> None: ...

@final
class CanDevice(Device[CanFrame]):
    def send_periodic(self, frame: CanFrame, period: float) -> PeriodicSend: ...

@final
class DatagramDevice(Device[Datagram]): ...

@final
class EthernetDevice(Device[EthernetFrame]): ...

@final
class BytesDevice(Device[Frame]): ...

@type_check_only
class _Segment(TypedDict, total=False):
    tx: ReadableBuffer  # either this
    read: int  # or this
    speed_hz: float
    delay_us: int
    bits: int
    cs_change: bool

@final
class SpiDevice(Device[Frame]):
    # An array may be a sequence too; it is taken as bytes.
    @overload
    def transfer(  # type: ignore[misc]
        self, __tx: ReadableBuffer, timeout: float | None = None
    ) -> Coroutine[Any, Any, bytes]: ...
    @overload
    def transfer(
        self,
        __tx: Sequence[ReadableBuffer | _Segment],  # a list or a tuple
        timeout: float | None = None,
    ) -> Coroutine[Any, Any, list[bytes]]: ...
    @property
    def overruns(self) -> int: ...
    @property
    def missed(self) -> int: ...
    @property
    def late_max_ns(self) -> int: ...

@final
class J1939Device(Device[J1939Message]): ...

@final
class PeriodicSend:
    @property
    def device(self) -> CanDevice: ...
    @property
    def frame(self) -> CanFrame: ...
    @property
    def period(self) -> float: ...
    @property
    def stopped(self) -> bool: ...
    def modify_data(self, data: _Data | CanFrame, /) -> None: ...
    def stop(self) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...

@final
class Queue(Generic[_F]):
    @property
    def name(self) -> str: ...
    @property
    def device(self) -> Device[_F]: ...
    @property
    def depth(self) -> int: ...
    @property
    def overflow(self) -> str: ...
    @property
    def closed(self) -> bool: ...
    def get(self, timeout: float | None = None) -> Coroutine[Any, Any, _F]: ...
    def get_many(
        self, n: int, timeout: float | None = None
    ) -> Coroutine[Any, Any, list[_F]]: ...
    def get_batch(
        self, n: int, min: int = 1, timeout: float | None = None
    ) -> Coroutine[Any, Any, Batch[_F]]: ...
    def get_nowait(self) -> _F: ...
    def lease(self, n: int = 1, timeout: float | None = None) -> _Lease[_F]: ...
    def snapshot(self) -> dict[Any, _F]: ...
    def peek(self, key: Any, /) -> _F | None: ...
    def recv(self, timeout: float | None = None) -> _F | None: ...
    def stats(self) -> QueueStats: ...
    def qsize(self) -> int: ...
    def clear(self) -> int: ...
    def set_filters(self, filters: _Filters | None, /) -> None: ...
    def close(self) -> None: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Coroutine[Any, Any, _F]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None: ...
    def __class_getitem__(cls, item: Any, /) -> GenericAlias: ...
    # For merge(): (timestamp_ns, monotonic_ns) of the oldest frame; and to
    # wait for one without taking it: False at the end, or when time is up.
    def _head(self) -> tuple[int, int] | None: ...
    def _ready(self, timeout: float | None, /) -> Coroutine[Any, Any, bool]: ...
    # For the host: the script has ended.
    def _retire(self) -> None: ...
    def _yield_once(self) -> None: ...
    # The same: is it for the script's next version, and by which name?
    @property
    def _given_up(self) -> bool: ...
    @property
    def _unnamed(self) -> bool: ...

@type_check_only
class _Lease(Generic[_F]):
    def __aenter__(self) -> Coroutine[Any, Any, list[_F]]: ...
    def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> Coroutine[Any, Any, None]: ...

# ---- what the package awaitd is made of ----

def open_device(
    name: str, options: dict[str, str], /
) -> (
    CanDevice
    | DatagramDevice
    | J1939Device
    | EthernetDevice
    | SpiDevice
    | BytesDevice
): ...
def parse_device(text: str, /) -> tuple[str, dict[str, str]]: ...
def read_config(path: StrPath, /) -> dict[str, dict[str, str]]: ...
def hosted_devices() -> dict[str, Device[Any]] | None: ...

# ---- for extensions in C: a capsule, see awaitd/awaitable.h ----

awaitable: object

# ---- for the daemon's host of scripts ----

def _set_owner_hook(hook: Callable[[], object], /) -> None: ...
def _set_gate_hook(hook: Callable[[], object], /) -> None: ...
def _interrupt(thread: int, /) -> None: ...
