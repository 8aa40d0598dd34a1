#!/bin/bash
# The root tree: `root.sh OUT` makes OUT/root, from which every product is made, and OUT/packages.manifest.
#
# Debian's packages come first, by mmdebstrap, and are kept in the user's cache under the hash of what decides them; a
# change of our own code then costs seconds. On top come the application (its Python packages as wheels checked by the hashes
# of requirements.lock; what has no wheel is made into one here, never on the appliance, which has no compiler), our overlay,
# and customize.sh. Needs root, because files must belong to others; no loop device, no mount of its own.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
checkout=$(dirname "$here")
out=$1
root=$out/root
cache=${XDG_CACHE_HOME:-$HOME/.cache}/bentevi
export LC_ALL=C.UTF-8

say() { echo "bentevi: $*" >&2; }
# shellcheck source=setup/mirror.sh
source "$checkout/setup/mirror.sh"
# shellcheck source=os_image/release.env
source "$here/release.env"
export SOURCE_DATE_EPOCH
umask 022

# What Debian 14 on x86-64 can load.
platforms=(--platform any)
for kind in manylinux_2_{41,39,35,34,31,28,27,24,17,12,5} manylinux2014 manylinux2010 manylinux1; do
    platforms+=(--platform "${kind}_x86_64")
done

main() {
    [ "$(id -u)" = 0 ] || { say "building an image needs root: its files belong to many users"; exit 2; }
    mkdir -p "$out" "$cache"
    local base
    base=$(base_tree)
    say "unpacking the base"
    rm -rf "$root"
    mkdir "$root"
    tar -C "$root" --numeric-owner --xattrs --xattrs-include='*' -xf "$base"
    application
    tar -C "$here/overlay" --owner=0 --group=0 -cf - . | tar -C "$root" --no-overwrite-dir -xf -
    "$here/customize.sh" "$root" "$VERSION" "$(revision)" "$SOURCE_DATE_EPOCH"
    chroot "$root" dpkg-query -W -f '${Package} ${Version} ${Architecture}\n' | sort > "$out/packages.manifest"
    # Nothing bears the minute it was made in.
    find "$root" -xdev -newermt "@$SOURCE_DATE_EPOCH" -exec touch --no-dereference --date="@$SOURCE_DATE_EPOCH" {} +
    (cd "$root" && find . -xdev -type f -not -path './dev/*' -print0 | sort -z | xargs -0 sha256sum) > "$out/tree.sha256"
    say "root tree: $(du -sxm "$root" | cut -f1) MB, $(wc -l < "$out/packages.manifest") packages"
}

# The commit a tree was made of; with a mark when something was not committed.
revision() {
    git -C "$checkout" describe --always --dirty --exclude '*' 2>/dev/null || echo unknown
}

# The packages alone, as a tar file in the cache. Prints its name.
base_tree() {
    local uri hash file
    hash=$({ cat "$here/packages.list" "$here/base-hook.sh"; echo "$SUITE $SNAPSHOT $SOURCE_DATE_EPOCH"; declare -f mmdebstrap_words; } | sha256sum | cut -c1-12)
    file=$cache/os-base-$hash.tar
    if [ ! -e "$file" ]; then
        exec 9> "$cache/os-base.lock"
        flock 9
        if [ ! -e "$file" ]; then
            uri=${SNAPSHOT:+http://snapshot.debian.org/archive/debian/$SNAPSHOT}
            uri=${uri:-$(mirror)}
            [ -n "$uri" ] || { apt-get -qq update; uri=$(mirror); }    # somebody emptied apt's lists
            [ -n "$uri" ] || { say "no Debian mirror found in this machine's apt sources"; exit 2; }
            say "making the base from Debian $SUITE (some minutes)"
            mapfile -t words < <(mmdebstrap_words)
            # A frozen mirror is older than its validity date; its signature is verified all the same.
            mmdebstrap "${words[@]}" --customize-hook="$here/base-hook.sh \"\$1\"" \
                "$SUITE" "$file.new" "deb [signed-by=$(keyring)] $uri $SUITE main non-free-firmware" > "$file.log" 2>&1 ||
                { tail -n 30 "$file.log" >&2; exit 1; }
            mv "$file.new" "$file"
        fi
    fi
    echo "$file"
}

mmdebstrap_words() {
    printf '%s\n' --variant=minbase --format=tar --mode=root \
        --include="$(grep -v -e '^#' -e '^$' "$here/packages.list" | paste -sd,)" \
        --aptopt='Acquire::Check-Valid-Until "false"' --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-include=/usr/share/doc/*/copyright' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-include=/usr/share/locale/pt_BR/*' \
        --dpkgopt='path-include=/usr/share/locale/locale.alias' --dpkgopt='path-exclude=/usr/share/lintian/*' \
        --essential-hook='printf "%s\n" "locales locales/default_environment_locale select C.UTF-8" "locales locales/locales_to_be_generated multiselect pt_BR.UTF-8 UTF-8" "keyboard-configuration keyboard-configuration/layoutcode string br" "keyboard-configuration keyboard-configuration/variant select Portuguese (Brazil)" "tzdata tzdata/Areas select America" "tzdata tzdata/Zones/America select Sao_Paulo" | chroot "$1" debconf-set-selections'
}

# The code in /opt/bentevi, its packages in /opt/bentevi/venv.
application() {
    local target=$root/opt/bentevi python version
    say "installing the application"
    mkdir -p "$target"
    (cd "$checkout" && git ls-files --cached --others --exclude-standard -z -- appliance web jobs asterisk khomp setup.cfg CHANGELOG.md CHANGELOG.pt_BR.md docs/padaria.yaml |
        xargs -0 ls -d 2>/dev/null | tar --owner=0 --group=0 -cf - -T -) | tar -C "$target" --no-same-permissions -xf -
    # What is made and not kept in the repository: what browsers load, and the compiled catalogues.
    cp -r "$checkout/web/static/vendor" "$target/web/static/"
    (cd "$checkout" && find web/translations -name '*.mo' -exec cp --parents {} "$target/" \;)
    mkdir -p "$root/usr/lib/bentevi/os_image"
    cp -r "$here"/{__init__.py,layout.py,installer,firstboot,updater} "$root/usr/lib/bentevi/os_image/"
    mkdir -p "$root/usr/lib/bentevi/update-keys"
    find "$root/usr/lib/bentevi" "$target" -name __pycache__ -prune -exec rm -rf {} +
    chmod -R u=rwX,go=rX "$target" "$root/usr/lib/bentevi"
    python=$("$checkout/setup/python.sh" requirements.lock)/bin/python
    version=$(chroot "$root" python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    # Whose updates this tree will take: the release's own key, or one made for development builds on this machine.
    (cd "$checkout" && PYTHONPATH=$checkout "$python" -m os_image.update keys "$root/usr/lib/bentevi/update-keys")
    wheels "$python" "$version"
    chroot "$root" python3 -m venv --without-pip /opt/bentevi/venv
    "$python" -m pip install --quiet --no-index --no-deps --no-compile --target "$target/venv/lib/python$version/site-packages" \
        --python-version "$version" --implementation cp --abi "cp${version/./}" --abi abi3 --abi none "${platforms[@]}" "$wheelhouse"/*.whl
    # The tests of a library bring keys of their own; nothing of them is for a machine.
    rm -rf "$target/venv/lib/python$version/site-packages"/{bin,acme/_internal/tests}
    rm -f "$target"/venv/bin/{activate*,Activate*}
    # Compiled here: the appliance never writes below /opt. By content, not by date, so that two builds match.
    chroot "$root" /opt/bentevi/venv/bin/python -m compileall -q -j 2 --invalidation-mode unchecked-hash \
        /opt/bentevi /usr/lib/bentevi/os_image "/usr/lib/python$version" /usr/lib/python3/dist-packages
    say "making the prompts"
    mkdir -p "$root/usr/share/bentevi/cache"
    chroot "$root" env PYTHONPATH=/opt/bentevi PYTHONDONTWRITEBYTECODE=1 XDG_CACHE_HOME=/usr/share/bentevi/cache \
        /opt/bentevi/venv/bin/python -c 'from appliance import prompts; prompts.make()'
    chmod -R u=rwX,go=rX "$root/usr/share/bentevi"
}

# Every package of the lock as a wheel for the appliance's Python, in the cache. Sets $wheelhouse.
wheels() {
    local python=$1 version=$2
    wheelhouse=$cache/wheels-$version-$(sha256sum < "$checkout/requirements.lock" | cut -c1-12)
    [ ! -e "$wheelhouse/.ready" ] || return 0
    say "fetching the Python packages for Python $version"
    rm -rf "$wheelhouse"
    mkdir "$wheelhouse"
    # Checked by the lock's hashes, whether wheel or source.
    "$python" -m pip download --quiet --disable-pip-version-check --require-hashes --no-deps -r "$checkout/requirements.lock" -d "$wheelhouse" \
        --python-version "$version" --implementation cp --abi "cp${version/./}" --abi abi3 --abi none "${platforms[@]}"
    find "$wheelhouse" -name '*.tar.gz' -exec "$python" -m pip wheel --quiet --no-deps -w "$wheelhouse" {} \;
    touch "$wheelhouse/.ready"
}

main
