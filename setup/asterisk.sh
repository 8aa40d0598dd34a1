#!/bin/bash
# Gives this machine an Asterisk 22.
#
# Where the distribution has it (Debian 14), its own package is installed. Debian 12 and 13 have none, and Debian's
# newer packages cannot be installed over an older system without replacing its C library. So they are unpacked, C
# library included, into a private folder of the user's cache, and run from there through their own loader. Nothing of
# the system changes, no root is needed, and removing the folder removes it all.
#
# apt does the work, with lists, cache and package status of its own: it resolves the dependencies and verifies
# signatures as for any installation. The mirror and the keys are the ones this machine uses already.
#
# `asterisk.sh headers` brings the header files of that very version, for the tests' stand-in of a channel driver, and prints their folder.
#
# Prints nothing else when there is nothing to do. Ends 0 when an Asterisk 22 is ready, 2 when the person has to do something.
set -euo pipefail

suite=forky                   # Debian 14, the first with Asterisk 22
wanted=22
packages="asterisk asterisk-modules asterisk-core-sounds-en-gsm asterisk-core-sounds-en-wav"
setup=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bentevi
root=$cache/asterisk-root

say() { echo "bentevi: $*" >&2; }
# shellcheck source=setup/mirror.sh
source "$setup/mirror.sh"

main() {
    if [ "${1:-}" = headers ]; then
        headers
        exit
    fi
    if [ -e "$root/.ready" ] || [ "$(major "$(installed_version)")" -ge $wanted ]; then
        exit 0
    fi
    if [ "$(major "$(offered_version)")" -ge $wanted ]; then
        exec "$setup/packages.sh" asterisk
    fi
    mkdir -p "$cache"
    exec 9>"$cache/asterisk-root.lock"
    flock 9                    # a second start waits here, then finds the work done
    [ -e "$root/.ready" ] || make_root
}

installed_version() { dpkg-query -W -f '${Version}' asterisk 2>/dev/null || true; }
offered_version() { apt-cache policy asterisk 2>/dev/null | sed -n 's/^ *Candidate: //p'; }

# "1:22.10.1~dfsg-1" → 22; nothing, or "(none)" → 0
major() {
    local version=${1#*:}
    version=${version%%.*}
    [[ $version =~ ^[0-9]+$ ]] && echo "$version" || echo 0
}

make_root() {
    local work version
    work=$(mktemp -d "$cache/asterisk-root.XXXXXX")
    # shellcheck disable=SC2064  # the folder's name must be taken now
    trap "rm -rf '$work'" EXIT
    say "Asterisk $wanted is not among this system's packages: unpacking Debian $suite's into $root"
    download "$work/apt"
    unpack "$work/apt" "$work/root"
    tidy "$work/root"
    version=$(run "$work/root" -V) || { say "the unpacked Asterisk does not run"; exit 1; }
    echo "${version#Asterisk }" > "$work/root/.ready"
    rm -rf "$root"
    mv "$work/root" "$root"
    say "Asterisk $(cat "$root/.ready") is ready"
}

# The distribution's own where its Asterisk is used; else those of the unpacked version, unpacked beside it.
headers() {
    local version folder work
    if [ ! -e "$root/.ready" ]; then
        "$setup/packages.sh" asterisk-dev >&2
        echo /usr/include
        return
    fi
    version=$(cat "$root/.ready")
    folder=$cache/asterisk-headers-$version
    exec 9>"$cache/asterisk-root.lock"
    flock 9
    if [ ! -e "$folder" ]; then
        work=$(mktemp -d "$cache/asterisk-headers.XXXXXX")
        # shellcheck disable=SC2064  # the folder's name must be taken now
        trap "rm -rf '$work'" EXIT
        lists "$work/apt"
        if ! (cd "$work" && apt-get -c "$work/apt/apt.conf" -qq download "asterisk-dev=1:$version" >&2); then
            say "the mirror has other headers than those of Asterisk $version; remove $root to fetch both anew"
            exit 2
        fi
        dpkg -x "$work"/asterisk-dev_*.deb "$work/root"
        mv "$work/root/usr/include" "$folder"
    fi
    echo "$folder"
}

# All packages as files in $1/archives, signatures and hashes verified.
download() {
    lists "$1"
    # shellcheck disable=SC2086  # a list of words
    apt-get -c "$1/apt.conf" -qq --yes --download-only install $packages
}

# An apt of our own in $1, its lists read. The status file is empty, so that everything counts as missing, the C library and its
# loader too.
lists() {
    local apt=$1 uri
    uri=$(mirror)
    [ -n "$uri" ] || { say "no Debian mirror found in this machine's apt sources"; exit 2; }
    mkdir -p "$apt"/{lists/partial,archives/partial,parts}
    : > "$apt/status"
    echo "deb [signed-by=$(keyring)] $uri $suite main" > "$apt/sources.list"
    # Read after the machine's own settings (its proxy stays); its hooks speak of the system and are left out.
    cat > "$apt/apt.conf" <<END
Dir::State "$apt";
Dir::State::lists "$apt/lists";
Dir::State::status "$apt/status";
Dir::State::extended_states "$apt/extended_states";
Dir::Cache "$apt";
Dir::Cache::archives "$apt/archives";
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "$apt/parts";
Dir::Etc::preferencesparts "$apt/parts";
APT::Install-Recommends "false";
APT::Sandbox::User "$(id -un)";
Acquire::Languages "none";
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Post-Invoke;
END
    if ! LC_ALL=C apt-get -c "$apt/apt.conf" -q update > "$apt/update.log" 2>&1; then
        if ! grep -q 'is expired' "$apt/update.log"; then
            cat "$apt/update.log" >&2
            say "the mirror $uri did not give Debian $suite's package lists"
            exit 2
        fi
        say "WARNING: the mirror's list of $suite is past its validity date. Its signature is still verified, but newer"
        say "WARNING: security fixes may be missing from it. Going on; remove $root to fetch again later."
        echo 'Acquire::Check-Valid-Until "false";' >> "$apt/apt.conf"
        apt-get -c "$apt/apt.conf" -qq update
    fi
}

unpack() {
    local apt=$1 to=$2 folder file
    # Debian's merged /usr: normally made by the installation of base-files, which is not run here.
    for folder in bin sbin lib lib64; do
        mkdir -p "$to/usr/$folder"
        ln -s "usr/$folder" "$to/$folder"
    done
    for file in "$apt"/archives/*.deb; do
        dpkg -x "$file" "$to"
    done
}

# What a package's installation would have done, and what must not be lying in a cache folder.
tidy() {
    local to=$1 link target
    find "$to" -type f -perm /6000 -exec chmod a-s {} +
    find "$to/usr/share/doc" -type f -not -name copyright -not -path '*sounds*' -delete
    rm -rf "$to"/usr/share/{man,locale,info,lintian} "$to/var/lib/asterisk/astdb.sqlite3"
    # Links are made for a system's own root; here they must stay inside the folder.
    find "$to" -type l -lname '/*' | while read -r link; do
        target=$to$(readlink "$link")
        if [ -e "$target" ]; then ln -sfnr "$target" "$link"; fi
    done
    # This one leads to the alternatives system, which does not exist here: without it every prompt is silence.
    ln -sfn en_US_f_Allison "$to/usr/share/asterisk/sounds/en"
}

# One name for the loader and for the libraries, whatever the processor.
run() {
    local from=$1 loader libraries
    shift
    loader=$(echo "$from"/lib*/ld-linux-*.so.[0-9])
    libraries=$(echo "$from"/usr/lib/*-linux-gnu)
    "$loader" --library-path "$libraries" "$from/usr/sbin/asterisk" "$@"
}

main "$@"
