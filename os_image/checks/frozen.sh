#!/bin/sh
# RAW FOLDER START_MIB…: starts the product from a disk as it was at some moment, on this machine's own processor, in a network, a process list and
# mounts of its own, and writes what it finds to FOLDER: as `unshare -m -n -p --fork --kill-child` runs it, which ends all of it with this script.
# The kernel's first steps are the machine's: journals are replayed by mounting, and the file system is then looked over without changing it.
set -eu
raw=$1 folder=$2 root_mib=$3 root_size=$4 data_mib=$5
root=$folder/root
mkdir -p "$root"
mount -o "loop,offset=$((root_mib << 20)),sizelimit=$((root_size << 20))" "$raw" "$root"
mount -o "loop,offset=$((data_mib << 20))" "$raw" "$root/data"
umount "$root/data"
e2fsck -fn "$raw?offset=$((data_mib << 20))" >"$folder/e2fsck" 2>&1 || echo "e2fsck: $?" >"$folder/damaged"
mount -o "loop,offset=$((data_mib << 20))" "$raw" "$root/data"
mount --bind "$root/data/bentevi" "$root/var/lib/bentevi"
mount -t proc proc "$root/proc"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/tmp"
chmod 1777 "$root/tmp"
mount --rbind /dev "$root/dev"
ip link set lo up
echo 80 >/proc/sys/net/ipv4/ip_unprivileged_port_start
cat >"$root/tmp/look" <<'END'
set -a
. /usr/lib/bentevi/environment
[ ! -r /etc/bentevi/environment ] || . /etc/bentevi/environment
set +a
unset BENTEVI_REDIS_URL BENTEVI_UNITS
umask 077
cd "$BENTEVI_HOME"
python=/opt/bentevi/venv/bin/python
$python -m appliance.supervisor >/tmp/supervisor.log 2>&1 &
tries=0
until $python -m appliance.cli status --json >/tmp/status.json 2>/tmp/status.err; do
  tries=$((tries + 1))
  [ "$tries" -lt 60 ] || break
  sleep 1
done
$python -m appliance.cli doctor --json >/tmp/doctor.json || true
$python -m appliance.cli site export extensions >/tmp/extensions.yaml
$python -m appliance.cli calls list --json >/tmp/calls.json
asterisk -C /var/lib/bentevi/asterisk/etc/asterisk.conf -rx 'pjsip show endpoints' >/tmp/endpoints
find revisions -maxdepth 1 \( -name '*.new' -o -name applying \) >/tmp/half
$python -c "import sqlite3; print(sqlite3.connect('bentevi.sqlite').execute('pragma integrity_check').fetchone()[0])" >/tmp/integrity
END
chroot "$root" runuser -u bentevi -- sh /tmp/look || true
cp "$root"/tmp/*.* "$root/tmp/endpoints" "$root/tmp/half" "$root/tmp/integrity" "$folder/" || true
