#!/bin/bash
# The main job, live: a recorded drive replayed at its own pace, and a UDP
# socket with a sender, both awaited by one script. `./run demo` builds first.
#
#     examples/demo.sh [SECONDS]
#
# Where the kernel has vcan the drive also comes through a real CAN interface.
# Environment: AWAITD_BUILD, the build folder (build); AWAITD_DEMO_PORT (5005).
set -euo pipefail
cd "$(dirname "$0")/.."

seconds=${1:-10}
port=${AWAITD_DEMO_PORT:-5005}
awaitd=${AWAITD_BUILD:-build}/daemon/awaitd
interface=awaitd$$
devices=(-c examples/demo.yaml)
helpers=()
has_interface=

clean_up() {
    # What they have to say about being ended is of no interest.
    ((!${#helpers[@]})) || kill "${helpers[@]}" 2>/dev/null || true
    wait 2>/dev/null || true
    test -z "$has_interface" || ip link delete "$interface"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A CAN interface of our own, if this kernel and this user can have one.
add_interface() {
    ip link add "$interface" type vcan 2>/dev/null || return 1
    has_interface=yes
    ip link set "$interface" mtu 72 up # 72: CAN FD too
}

# Plays the drive into the interface as soon as the daemon listens.
play() {
    until grep -qs "^ *$interface " /proc/net/can/rcvlist_all; do
        sleep 0.1
    done
    exec canplayer -I examples/drive.log "$interface=can0" "$interface=can1"
}

test "$port" = 5005 || devices+=(-d "net=udp:127.0.0.1:$port")
if add_interface; then
    devices+=(-d "bus=can:$interface")
    echo "drive: examples/drive.log   net: UDP port $port   bus: $interface"
    play >/dev/null 2>&1 &
    helpers+=($!)
else
    echo "drive: examples/drive.log   net: UDP port $port"
    echo "no vcan (not in this kernel, or not permitted): ./run guest has it"
fi
/usr/bin/python3 examples/send_udp.py 1000 "$((seconds + 5))" "$port" \
    >/dev/null &
helpers+=($!)

"$awaitd" run "${devices[@]}" examples/dashboard.py "$seconds"
