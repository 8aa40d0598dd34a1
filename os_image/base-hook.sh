#!/bin/sh
# Runs once in the fresh base ($1), before it is kept: what packages made while they were installed and no two machines may share.
set -eu
rm -f "$1"/etc/ssh/ssh_host_* "$1/var/lib/dbus/machine-id" "$1/var/lib/systemd/random-seed" "$1/etc/ssl/private/ssl-cert-snakeoil.key"
echo uninitialized > "$1/etc/machine-id"
rm -rf "$1"/var/cache/apt/*.bin "$1"/var/lib/apt/lists/* "$1"/var/log/* "$1"/tmp/* "$1/etc/apt/sources.list.d"/*
find "$1" -xdev -name __pycache__ -prune -exec rm -rf {} +
