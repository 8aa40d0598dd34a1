#!/bin/bash
# What is done to the tree besides copying files: users, what starts, what must not exist. `customize.sh ROOT VERSION COMMIT EPOCH`
set -euo pipefail
root=$1 version=$2 commit=$3 epoch=$4

in_root() { chroot "$root" "$@"; }

# Users with fixed numbers: files on the data partition belong to them in every version of the product.
in_root groupadd --gid 900 bentevi
in_root useradd --system --uid 900 --gid 900 --no-create-home --home-dir /var/lib/bentevi --shell /usr/sbin/nologin bentevi
in_root groupadd --gid 901 bentevi-redis
in_root useradd --system --uid 901 --gid 901 --no-create-home --home-dir /var/lib/bentevi-redis --shell /usr/sbin/nologin bentevi-redis
in_root useradd --uid 1000 --create-home --shell /bin/bash --comment 'Administrador' --groups systemd-journal admin
in_root usermod --lock root    # nobody logs in as root; sudo asks for the administrator's password
in_root usermod --lock admin   # until the installer, a hypervisor or nobody gave it one

mkdir -p "$root"/{data,var/lib/bentevi,var/lib/bentevi-redis,usr/share/bentevi}
ln -sfn /data/machine "$root/etc/bentevi"
: > "$root/etc/fstab"            # mounts are units (data.mount): live-boot and a root of two names need it empty
: > "$root/etc/issue"
: > "$root/etc/issue.net"
: > "$root/etc/motd"
echo bentevi > "$root/etc/hostname"
ln -sf ../usr/share/zoneinfo/America/Sao_Paulo "$root/etc/localtime"
ln -sf ../run/systemd/resolve/stub-resolv.conf "$root/etc/resolv.conf"
printf 'LANG=C.UTF-8\n' > "$root/etc/default/locale"
chmod 440 "$root/etc/sudoers.d/50-bentevi"
chmod 755 "$root/etc/nftables.conf"
rm -f "$root"/etc/update-motd.d/*

# The name and number of what this is (SYS-10): one place, read by banner, menu and support.
cp --remove-destination "$root/usr/lib/os-release" "$root/etc/os-release"
{
    echo "IMAGE_ID=bentevi"
    echo "IMAGE_VERSION=$version"
    echo "BENTEVI_COMMIT=$commit"
    echo "BENTEVI_DATE=$(date -u -d "@$epoch" +%F)"
} >> "$root/etc/os-release"

units=(bentevi.target appliance-update-start.service appliance-update-check.service appliance-update.path appliance-machine.service
    appliance-firewall.service appliance-firewall.path appliance-banner.service appliance-banner.path appliance-grow.service)
in_root systemctl --quiet enable "${units[@]}" ssh.service nftables.service systemd-networkd.service systemd-resolved.service systemd-timesyncd.service
in_root systemctl --quiet set-default multi-user.target
# The distribution's own services of what we run ourselves; what writes to the product, or fetches, by itself; keys made elsewhere.
for unit in asterisk.service nginx.service redis-server.service sshd-keygen.service ssh.socket apt-daily.timer apt-daily-upgrade.timer \
    e2scrub_all.timer e2scrub_reap.service console-setup.service systemd-networkd-wait-online.service user@.service; do
    ln -sf /dev/null "$root/etc/systemd/system/$unit"
done
rm -rf "$root"/etc/systemd/system/multi-user.target.wants/{asterisk,nginx,redis-server}.service "$root"/etc/logrotate.d/{asterisk,nginx,redis-server}
in_root setupcon --save-only > /dev/null 2>&1 || true

# Starting: everything of the ESP, and GRUB's two parts for BIOS machines. Disk image and installer only copy.
boot=$root/usr/lib/bentevi/boot
install -d "$boot/esp/EFI/BOOT" "$boot/esp/EFI/debian" "$boot/esp/grub"
cp "$root/usr/lib/shim/shimx64.efi.signed" "$boot/esp/EFI/BOOT/BOOTX64.EFI"
cp "$root/usr/lib/shim/mmx64.efi.signed" "$boot/esp/EFI/BOOT/mmx64.efi"
cp "$root/usr/lib/grub/x86_64-efi-signed/grubx64.efi.signed" "$boot/esp/EFI/BOOT/grubx64.efi"
# shellcheck disable=SC2016  # for GRUB
printf 'search --no-floppy --label --set=root BENTEVI-ESP\nset prefix=($root)/grub\nconfigfile ($root)/grub/grub.cfg\n' |
    tee "$boot/esp/EFI/BOOT/grub.cfg" > "$boot/esp/EFI/debian/grub.cfg"
cat > "$boot/esp/grub/grub.cfg" <<'END'
# Which root partition starts stands in grubenv (slot=a or b). Nothing of it is in a root partition, which an update replaces.
load_env
if [ "$slot" != b ]; then set slot=a; fi
set timeout=2
set default=$slot
# After an update try=a or b is started once: it is forgotten before, so that a version which never comes up is not started again.
# When it cannot be forgotten it is not started at all.
if [ "$try" = a -o "$try" = b ]; then
    set trial=$try
    set try=
    if save_env try; then
        set default=$trial
    else
        set trial=
    fi
fi
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
function start {
    set told=
    if [ "$1" = "$trial" ]; then set told=bentevi.trial; fi
    search --no-floppy --label --set=root bentevi-root-$1
    linux ($root)/vmlinuz root=LABEL=bentevi-root-$1 rw rootflags=noatime bentevi.slot=$1 console=ttyS0,115200 console=tty0 quiet net.ifnames=0 panic=30 $told $2
    initrd ($root)/initrd.img
}
menuentry "Bentevi" --id a { start a }
menuentry "Bentevi (B)" --id b { start b }
menuentry "Console de recuperacao" --id rescue { start $slot systemd.unit=rescue.target }
END
in_root grub-editenv /usr/lib/bentevi/boot/esp/grub/grubenv create
in_root grub-editenv /usr/lib/bentevi/boot/esp/grub/grubenv set slot=a
# shellcheck disable=SC2016  # for GRUB
printf 'search --no-floppy --label --set=root BENTEVI-ESP\nset prefix=($root)/grub\n' > "$root/tmp/early.cfg"
in_root grub-mkimage -O i386-pc -p /grub -c /tmp/early.cfg -o /usr/lib/bentevi/boot/core.img \
    biosdisk part_gpt fat ext2 search search_label normal configfile linux echo serial terminal gzio loadenv test
cp "$root/usr/lib/grub/i386-pc/boot.img" "$boot/boot.img"
rm -f "$root/tmp/early.cfg" "$root"/etc/*- "$root"/var/log/*.log "$root"/etc/ssh/ssh_host_*
chmod 755 "$root/usr/lib/bentevi/update-keys"
chmod 644 "$root"/usr/lib/bentevi/update-keys/*.pem
rm -rf "$root/root/.ssh" "$root"/var/cache/apt/archives/*.deb
# A machine for telephones hangs on a cable: what radios need is left out.
rm -rf "$root"/usr/lib/firmware/{rtw88,rtw89,rtlwifi,rtl_bt}
echo uninitialized > "$root/etc/machine-id"
