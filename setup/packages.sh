#!/bin/bash
# Installs Debian packages that are missing, and only those: `packages.sh NAME…`, `packages.sh product`,
# `packages.sh tests`, `packages.sh benches`, `packages.sh images`. A name may offer a choice (`fonts-liberation2|fonts-liberation`): the first one known is taken.
#
# We need the programs of nginx, Redis and PostgreSQL, never the services their packages start: those would take ports
# of a machine that is not ours to arrange. So nothing is started while installing, and a service that came with a
# package installed here is switched off for the next boot too. One that was on the machine before is not touched.
#
# Without root and without sudo it prints the command for whoever may, and ends with 2.
set -euo pipefail

# Redis and nginx run under our own supervisor; sox and espeak-ng make prompts, lame keeps recordings small; the fonts and Pango print PDFs;
# iproute2 and util-linux put a trial Asterisk into a network of its own; restic keeps backups, ssh carries them. The tests compile a
# stand-in for a channel driver and keep backups on a server of SFTP.
product="redis-server nginx sox lame espeak-ng fonts-dejavu-core fonts-liberation2|fonts-liberation
         libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 iproute2 util-linux restic openssh-client"
tests="chromium postgresql gcc libc6-dev openssh-server shellcheck nftables tzdata squashfs-tools grub-common"
benches="sip-tester sqlite3"
# Building the installable image, and starting it in a machine that is emulated (os_image/).
images="mmdebstrap debian-archive-keyring git squashfs-tools xorriso mtools dosfstools e2fsprogs gdisk qemu-system-x86 qemu-utils ovmf"
services="nginx redis-server asterisk postgresql ssh"

say() { echo "bentevi: $*" >&2; }
installed() { [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" = installed ]; }
known() { apt-cache policy "$1" | grep -q '^ *Candidate: [^(]'; }

# Of the choice $1 the package that is installed, else nothing.
present() {
    local name
    for name in ${1//|/ }; do installed "$name" && echo "$name" && return; done
    return 1
}

# Of the choice $1 the package to install.
chosen() {
    local name
    for name in ${1//|/ }; do known "$name" && echo "$name" && return; done
    echo "${1%%|*}"
}

main() {
    local wanted=() missing=() word
    for word in "$@"; do
        case $word in
            product) wanted+=($product) ;;
            tests) wanted+=($tests) ;;
            benches) wanted+=($benches) ;;
            images) wanted+=($images) ;;
            *) wanted+=("$word") ;;
        esac
    done
    for word in "${wanted[@]}"; do present "$word" > /dev/null || missing+=("$word"); done
    if [ ${#missing[@]} -gt 0 ]; then install "${missing[@]}"; fi
}

install() {
    local names=() word root=()
    if [ "$(id -u)" != 0 ]; then
        if ! become_root; then
            for word in "$@"; do names+=("$(chosen "$word")"); done
            say "these packages are missing and need root. Run this, then start again:"
            say "    apt-get install --no-install-recommends ${names[*]}"
            exit 2
        fi
        root=(sudo)
    fi
    say "installing $*"
    "${root[@]}" env setup="$0" bash -c 'source "$setup" as-library; install_as_root "$@"' - "$@"
}

# sudo without a question, or with one where a person can answer it.
become_root() {
    command -v sudo > /dev/null && { sudo -n true 2>/dev/null || { [ -t 0 ] && sudo true; }; }
}

install_as_root() {
    local names=() before=() word service log status=0
    log=$(mktemp)
    update "$log"
    for word in "$@"; do names+=("$(chosen "$word")"); done
    for service in $services; do [ -e "/etc/init.d/$service" ] && before+=("$service"); done
    forbid_starting
    DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -qq --yes -o DPkg::Lock::Timeout=600 \
        install --no-install-recommends "${names[@]}" > "$log" 2>&1 || status=$?
    allow_starting
    for service in $services; do
        if [ -e "/etc/init.d/$service" ] && [[ " ${before[*]-} " != *" $service "* ]]; then switch_off "$service"; fi
    done
    [ $status = 0 ] || { tail -n 30 "$log" >&2; say "apt-get could not install ${names[*]}"; }
    rm -f "$log"
    return $status
}

# A frozen mirror is older than its validity date: then fall back, and say so.
update() {
    local log=$1 apt=(apt-get -q -o DPkg::Lock::Timeout=600)
    LC_ALL=C "${apt[@]}" update > "$log" 2>&1 && return
    if grep -q 'is expired' "$log"; then
        say "WARNING: the mirror's package lists are past their validity date; newer security fixes may be missing."
        "${apt[@]}" -o Acquire::Check-Valid-Until=false update > "$log" 2>&1 && return
    fi
    tail -n 10 "$log" >&2
    say "WARNING: apt-get update failed; going on with the package lists of last time."
}

# Debian asks this program before it starts a service; 101 means no. One that exists is the machine owner's: kept,
# and put back afterwards also when we are interrupted.
policy=/usr/sbin/policy-rc.d
forbid_starting() {
    trap allow_starting EXIT
    [ ! -e $policy ] || mv $policy $policy.before-bentevi
    printf '#!/bin/sh\nexit 101\n' > $policy
    chmod 755 $policy
}

allow_starting() {
    trap - EXIT
    if [ -e $policy.before-bentevi ]; then mv $policy.before-bentevi $policy; else rm -f $policy; fi
}

switch_off() {
    if command -v systemctl > /dev/null; then
        systemctl disable --quiet "$1" 2>&1 | grep -v 'sysv' >&2 || true
    else
        update-rc.d "$1" disable
    fi
}

if [ "${1:-}" != as-library ]; then main "$@"; fi
