#!/bin/sh
# Forgets everything that belongs to one machine: the next start is a first start again.
set -eu
systemctl stop bentevi.target 'bentevi-*' appliance-banner.path appliance-firewall.path appliance-watch.service
rm -rf /data/machine/* /data/bentevi/* /data/redis/* /data/log/*
usermod --lock --password '!' admin
rm -f /var/lib/systemd/random-seed /etc/systemd/network/10-bentevi.network
echo uninitialized > /etc/machine-id
rm -f /etc/localtime && ln -s ../usr/share/zoneinfo/America/Sao_Paulo /etc/localtime
echo bentevi > /etc/hostname
fstrim -a || true
sync
