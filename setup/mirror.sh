# Where Debian comes from on this machine; read by asterisk.sh and os_image/root.sh, which say() in their own name.
# shellcheck shell=bash

# The folder of the Debian archive this machine uses, as apt itself understands its source lists (either format).
mirror() {
    local codename
    codename=$(. /etc/os-release && echo "${VERSION_CODENAME:-}")
    apt-get indextargets --format '$(RELEASE) $(REPO_URI)' 'Created-By: Packages' |
        awk -v codename="$codename" '$1 == codename && !first { first = $2 } END { print first }'
}

keyring() {
    local file
    for file in /usr/share/keyrings/debian-archive-keyring.{pgp,gpg}; do
        [ -e "$file" ] && echo "$file" && return
    done
    say "the archive's keys are missing; run: apt-get install debian-archive-keyring"
    exit 2
}
