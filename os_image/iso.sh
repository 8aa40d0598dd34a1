#!/bin/bash
# The medium: `iso.sh ROOT OUT.iso`. One file for DVD and stick, BIOS and UEFI (Secure Boot too): the tree as a squashfs, started
# by live-boot into appliance-install.target, which wants only the installer.
set -euo pipefail
root=$1 iso=$2
work=$(mktemp -d "$(dirname "$iso")/iso.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work"/iso/{live,boot/grub,bentevi}

# Folders stay, what a running system has in them does not. Kernel and initrd lie beside it once, not twice: the installer copies them.
mksquashfs "$root" "$work/iso/live/filesystem.squashfs" -comp zstd -Xcompression-level "${SQUASHFS_LEVEL:-15}" -b 256K \
    -noappend -quiet -no-progress -xattrs -wildcards -e 'proc/*' 'sys/*' 'dev/*' 'run/*' 'tmp/*' 'boot/vmlinuz-*' 'boot/initrd.img-*'
cp "$root"/boot/vmlinuz-* "$work/iso/live/vmlinuz"
cp "$root"/boot/initrd.img-* "$work/iso/live/initrd.img"
(cd "$work/iso/live" && sha256sum filesystem.squashfs vmlinuz initrd.img > SHA256SUMS)

cat > "$work/iso/boot/grub/grub.cfg" <<'END'
serial --unit=0 --speed=115200
terminal_input console serial
terminal_output console serial
set timeout=5
set default=0
menuentry "Instalar o Bentevi" {
    linux /live/vmlinuz boot=live noeject noautologin nocomponents systemd.unit=appliance-install.target console=ttyS0,115200 console=tty0 quiet net.ifnames=0 panic=10
    initrd /live/initrd.img
}
menuentry "Console de recuperacao" {
    linux /live/vmlinuz boot=live nocomponents systemd.unit=rescue.target console=tty0 net.ifnames=0
    initrd /live/initrd.img
}
END

# GRUB for BIOS; where the medium lies is found by a file that only it has.
# shellcheck disable=SC2016  # for GRUB
search='search --no-floppy --set=root --file /live/filesystem.squashfs
set prefix=($root)/boot/grub'
echo "$search" > "$root/tmp/early.cfg"
chroot "$root" grub-mkimage -O i386-pc-eltorito -p /boot/grub -c /tmp/early.cfg -o /tmp/eltorito.img \
    biosdisk iso9660 part_gpt part_msdos search search_fs_file normal configfile linux serial terminal echo
mv "$root/tmp/eltorito.img" "$work/iso/boot/grub/"
rm "$root/tmp/early.cfg"

# GRUB for UEFI, signed: copied, never made.
efi=$work/efi.img
truncate -s 8M "$efi"
mkfs.vfat -n BENTEVI-EFI -i BE27E712 --invariant "$efi" > /dev/null
printf '%s\nconfigfile $prefix/grub.cfg\n' "$search" > "$work/grub.cfg"
mmd -i "$efi" ::/EFI ::/EFI/BOOT ::/EFI/debian
mcopy -m -i "$efi" "$root/usr/lib/bentevi/boot/esp/EFI/BOOT/"*.[Ee][Ff][Ii] ::/EFI/BOOT/
mcopy -i "$efi" "$work/grub.cfg" ::/EFI/BOOT/grub.cfg
mcopy -i "$efi" "$work/grub.cfg" ::/EFI/debian/grub.cfg

xorriso -as mkisofs -quiet -o "$iso.new" -V BENTEVI -J -R -iso-level 3 \
    -b boot/grub/eltorito.img -no-emul-boot -boot-load-size 4 -boot-info-table --grub2-boot-info \
    --grub2-mbr "$root/usr/lib/grub/i386-pc/boot_hybrid.img" \
    -append_partition 2 0xef "$efi" -appended_part_as_gpt \
    -eltorito-alt-boot -e --interval:appended_partition_2:all:: -no-emul-boot "$work/iso"
mv "$iso.new" "$iso"
