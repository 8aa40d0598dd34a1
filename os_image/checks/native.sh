#!/bin/sh
# RAW ROOT_PART WIRE HERE CREDENTIALS COMMANDLINE: the system on a disk, its own init and units, on this machine's kernel and processor, in namespaces of its
# own: what firmware, GRUB and the kernel would have done is done here. Its console is the terminal this runs on; its network's one cable, `ether0`, leads
# to WIRE. Ends as the system does: by SIGINT when it switches itself off, by SIGHUP when it restarts. Nothing is written through to this machine: of its
# /proc/sys only what belongs to the network namespace may be written, and it may neither load modules nor set the clock.
set -eu
if [ "${INSIDE:-}" != yes ]; then
    raw=$1 wire=$3 here=$4
    unshare -n sleep infinity &
    holder=$!
    trap 'kill $holder' EXIT
    until [ "$(readlink /proc/$holder/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.1; done
    ip link del "$wire" 2>/dev/null || true
    ip link add "$wire" type veth peer name ether0 netns "$holder"
    ip address add "$here/24" dev "$wire"
    ip link set "$wire" up
    loop=$(losetup --find --show "$raw")
    partx --delete "$loop" 2>/dev/null || true # partitions outlive what they were of
    partx --add "$loop" # also where the kernel itself does not read such a table
    trap - EXIT
    # As long as it is open here it stays; whoever mounts it keeps it then, and its end releases it.
    # shellcheck disable=SC2016 # for the shell that is within the network already, and lets go of who held it
    INSIDE=yes LOOP=$loop HOLDER=$holder exec nsenter --net --target "$holder" setpriv --pdeathsig KILL sh -c \
        'kill "$HOLDER"; exec unshare --mount --pid --uts --ipc --cgroup --fork --kill-child sh "$0" "$@"' "$0" "$@"
fi
number=$2 credentials=$5 line=$6
name=${LOOP#/dev/}
root=$(mktemp -d)
mount --make-rprivate /
mount -t tmpfs -o mode=755 tmpfs "$root"
mkdir "$root/system" "$root/dev"
for at in /sys/class/block/"$name" /sys/class/block/"$name"p*; do
    node=$root/dev/${at##*/}
    mknod -m 600 "$node" b "$(cut -d: -f1 "$at/dev")" "$(cut -d: -f2 "$at/dev")"
done
system=$root/system
mount "$root/dev/${name}p$number" "$system"
mount "$root/dev/${name}p5" "$system/data"
losetup --detach "$LOOP"
mount -t proc proc "$system/proc"
mount --bind "$system/proc/sys" "$system/proc/sys"
mount -o remount,bind,ro "$system/proc/sys"
mount --bind "$system/proc/sys/net" "$system/proc/sys/net"
mount -o remount,bind,rw "$system/proc/sys/net"
mount -t tmpfs -o mode=755 tmpfs "$system/run"
mount -t tmpfs tmpfs "$system/tmp"
chmod 1777 "$system/tmp"
mkdir -p "$system/run/systemd/system"
ln -s /dev/null "$system/run/systemd/system/systemd-firstboot.service" # its questions, which the kernel's command line forbids on a machine
echo "$line" >"$system/run/cmdline"
mount --bind "$system/run/cmdline" "$system/proc/cmdline"
cp /proc/sys/kernel/random/uuid "$system/run/boot_id" # each start has its own, as on a machine
mount --bind "$system/run/boot_id" "$system/proc/sys/kernel/random/boot_id"
mount -t sysfs -o ro sysfs "$system/sys"
mount -t cgroup2 cgroup2 "$system/sys/fs/cgroup"
echo PARTNAME=root-b >"$system/run/uevent" # as the kernel that read the table would say
mount --bind "$system/run/uevent" "$system/sys/class/block/${name}p4/uevent"
mount -t tmpfs -o mode=755 tmpfs "$system/dev"
for one in null zero full random urandom tty; do
    touch "$system/dev/$one"
    mount --bind "/dev/$one" "$system/dev/$one"
done
cp -a "$root/dev/." "$system/dev/"
mkdir -p "$system/dev/pts" "$system/dev/shm" "$system/dev/disk/by-label"
for label in 3:bentevi-root-a 4:bentevi-root-b 5:bentevi-data; do
    ln -s "/dev/${name}p${label%%:*}" "$system/dev/disk/by-label/${label#*:}"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$system/dev/pts"
mount -t tmpfs tmpfs "$system/dev/shm"
ln -s pts/ptmx "$system/dev/ptmx"
ln -s /proc/self/fd "$system/dev/fd"
for pair in 0:stdin 1:stdout 2:stderr; do ln -s "/proc/self/fd/${pair%%:*}" "$system/dev/${pair#*:}"; done
touch "$system/dev/console"
mount --bind "$(tty)" "$system/dev/console"
if [ -d "$credentials" ]; then
    mkdir -p "$system/run/host/credentials"
    cp -a "$credentials/." "$system/run/host/credentials/"
fi
ip link set lo up
for network in 10-bentevi 80-wired; do
    mkdir -p "$system/run/systemd/network/$network.network.d"
    printf '[Match]\nKind=\n' >"$system/run/systemd/network/$network.network.d/native.conf" # this cable has a kind, which a card has not
done
cd "$system"
pivot_root . mnt # not chroot: within one nobody may make a user namespace
umount --lazy /mnt
# shellcheck disable=SC2086 # the words of the kernel's command line are init's here
exec env -i container=bentevi-proof CREDENTIALS_DIRECTORY=/run/host/credentials PATH=/usr/sbin:/usr/bin:/sbin:/bin \
    setpriv --bounding-set -sys_module,-sys_time,-sys_rawio,-syslog /sbin/init $line
