"""Ten seconds of CAN frames as fast as one sender can, to three drivers at once,
beside a script that does not listen."""

from __future__ import annotations

import floods
from can_peers import EXTENDED
from can_protocols import CAN_BCM, CAN_J1939, require_protocol
from floods import Flood

BROADCAST = 0x18FEF120


def test_flood_beside_a_stalled_script_is_accounted_for_to_the_last(
    run_daemon, tmp_path, spare_interface
):
    """In each of the places where frames can be lost: in the queue, the new or
    the old ones, and, while the reader stands still, in the kernel."""
    require_protocol(CAN_BCM)
    require_protocol(CAN_J1939)
    sender = floods.can_sender(spare_interface, EXTENDED | BROADCAST)
    found = floods.run(
        run_daemon,
        tmp_path,
        oldest=Flood(f"can:{spare_interface}", sender, "drop-oldest", 8),
        newest=Flood(f"can:{spare_interface},fd=no", sender, digits=8),
        raw=Flood(
            f"can:{spare_interface},receive_buffer=64k", sender, "block", 8
        ),
        watched=Flood(
            f"bcm:{spare_interface},watch={BROADCAST:X},receive_buffer=64k",
            sender,
            "block",
            8,
        ),
        truck=Flood(
            f"j1939:{spare_interface},receive_buffer=64k", sender, "block", 8
        ),
    )
    for outcome in found.values():
        outcome.check()
    for name in ("raw", "watched", "truck"):
        assert found[name].queue["dropped"]["kernel"] > 0
    # The newest there were stay, or the oldest.
    assert found["oldest"].queue["dropped"]["overflow"] > 0
    assert found["newest"].queue["dropped"]["overflow"] > 0
