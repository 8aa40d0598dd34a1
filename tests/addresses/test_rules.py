"""Which address may come in: rules, counting, and what is put into force."""

from ipaddress import ip_address, ip_network

import pytest

from appliance import closed, networks
from appliance.address_policy.model import AddressPolicy
from appliance.addresses import guesses, watch
from appliance.addresses.force import acl_text
from appliance.closed import PAGES, SIP, WHOLE, Closed
from appliance.networks import ALLOW, BLOCK

N = ip_network


def test_addresses_and_networks_are_written_in_one_way():
    """SYS-08: IPv4 and IPv6, single and CIDR."""
    for typed, kept in (("192.0.2.7", "192.0.2.7"), (" 192.0.2.7/32 ", "192.0.2.7"), ("192.0.2.77/24", "192.0.2.0/24"), ("2001:DB8::/32", "2001:db8::/32"),
                        ("2001:db8::1", "2001:db8::1"), ("192.0.2.0/255.255.255.0", "192.0.2.0/24"), ("::ffff:192.0.2.7", "192.0.2.7")):
        assert networks.told(networks.read(typed)) == kept
    for wrong in ("", "192.0.2", "192.0.2.0/33", "fe80::1%eth0", "host.example", "192.0.2.1-192.0.2.9", "1; drop"):
        with pytest.raises(ValueError):
            networks.read(wrong)


def test_the_most_specific_rule_counts():
    """SYS-08: an allowed address inside a blocked network comes in."""
    rules = [(N("192.0.2.0/24"), BLOCK), (N("192.0.2.7/32"), ALLOW), (N("10.0.0.0/8"), ALLOW), (N("10.1.0.0/16"), BLOCK)]
    said = {text: networks.rule_for(ip_address(text), rules) for text in ("192.0.2.7", "192.0.2.8", "10.1.2.3", "10.2.2.3", "2001:db8::1")}
    assert said == {"192.0.2.7": ALLOW, "192.0.2.8": BLOCK, "10.1.2.3": BLOCK, "10.2.2.3": ALLOW, "2001:db8::1": ""}
    shut = networks.closed_by(rules)
    for text, word in said.items():
        assert networks.is_inside(ip_address(text), shut) == (word == BLOCK)
    assert not [pair for pair in [(a, b) for a in shut for b in shut if a is not b] if pair[0].overlaps(pair[1])]


def test_the_order_of_rules_and_nested_ones_make_no_difference():
    nested = [(N("2001:db8::/32"), BLOCK), (N("2001:db8:1::/48"), ALLOW), (N("2001:db8:1:2::/64"), BLOCK)]
    for rules in (nested, nested[::-1]):
        shut = networks.closed_by(rules)
        assert networks.is_inside(ip_address("2001:db8::5"), shut) and networks.is_inside(ip_address("2001:db8:1:2::5"), shut)
        assert not networks.is_inside(ip_address("2001:db8:1::5"), shut)


def test_the_file_closes_pages_by_whole_and_pages_but_not_by_sip():
    """USR-36: who is banned for SIP passwords still reads the pages."""
    text = closed.text_of({WHOLE: [N("192.0.2.0/24")], SIP: [N("198.51.100.7/32")], PAGES: [N("198.51.100.9/32"), N("2001:db8::/32")]})
    held = Closed(text.splitlines())
    assert [one for one in ("192.0.2.200", "198.51.100.7", "198.51.100.9", "2001:db8::9", "2001:db9::1", "127.0.0.1", "::1", "") if held.keeps_out(one)] == [
        "192.0.2.200", "198.51.100.9", "2001:db8::9"]
    assert acl_text([N("192.0.2.0/24"), N("2001:db8::/32")]).splitlines()[1:] == ["deny = 192.0.2.0/24", "deny = 2001:db8::/32"]


def policy(**values):
    return AddressPolicy(**({"active": True, "users_count": 10, "tries_count": 20, "window_minutes": 10, "ban_minutes": 60, "include_local": False} | values))


def counted(sign, users, times=1):
    return guesses.count([f"{sign}{user}\x1f{user}-{number}" for user in users for number in range(times)])


def test_one_telephone_with_an_old_password_does_not_lock_its_office_out():
    """USR-36: any number of tries of one user, where others are registered."""
    old = counted(guesses.PROVED, ["1001"], 500)
    assert not guesses.are_too_many(policy(), SIP, old, has_phones=True)
    assert guesses.are_too_many(policy(), SIP, counted(guesses.PROVED, [str(number) for number in range(1000, 1010)]), has_phones=True)


def test_packets_whose_address_may_be_forged_ban_nobody_with_telephones():
    """USR-36: names nobody has, without an answer to our challenge."""
    forged = counted(guesses.NAMED, [str(number) for number in range(100)])
    assert not guesses.are_too_many(policy(), SIP, forged, has_phones=True)
    assert guesses.are_too_many(policy(), SIP, forged, has_phones=False)


def test_a_user_that_exists_and_one_that_does_not_are_banned_after_as_many_tries():
    """USR-36: the ban tells nobody which extensions there are."""
    known = guesses.count([f"p1001\x1f{number}" for number in range(20)])
    unknown = guesses.count([mark for number in range(20) for mark in (f"n999\x1fa{number}", f"n999\x1fb{number}", f"u\x1f{number}")])
    assert known.tries_count == unknown.tries_count == 20
    assert guesses.are_too_many(policy(), SIP, known, has_phones=False) and guesses.are_too_many(policy(), SIP, unknown, has_phones=False)
    fewer = guesses.count([f"p1001\x1f{number}" for number in range(19)])
    assert not guesses.are_too_many(policy(), SIP, fewer, has_phones=False)


def test_on_the_pages_one_user_alone_is_the_business_of_the_lock():
    """USR-35, USR-36."""
    assert not guesses.are_too_many(policy(), PAGES, counted(guesses.PROVED, ["ana"], 500), has_phones=False)
    assert guesses.are_too_many(policy(), PAGES, counted(guesses.PROVED, ["ana", "bruno"], 10), has_phones=False)


def test_local_networks_carriers_and_allowed_addresses_are_never_banned_by_themselves():
    """USR-36: never the local network by default."""
    rules = [(N("198.51.100.0/24"), ALLOW)]
    for text in ("10.1.2.3", "172.16.0.9", "192.168.0.9", "169.254.1.1", "127.0.0.9", "fe80::1", "fd00::1"):
        assert not watch.may_ban(ip_address(text), policy(), set(), rules), text
        assert watch.may_ban(ip_address(text), policy(include_local=True), set(), rules), text
    for text in ("127.0.0.1", "::1", "203.0.113.5", "198.51.100.7"):
        assert not watch.may_ban(ip_address(text), policy(include_local=True), {"203.0.113.5"}, rules), text
    assert watch.may_ban(ip_address("192.0.2.1"), policy(), set(), rules)
    assert not watch.may_ban(ip_address("192.0.2.1"), policy(active=False), set(), rules)


def test_an_event_is_read_as_asterisk_writes_it():
    """Captured from Asterisk 22.10.1."""
    event = {"Event": "ChallengeResponseFailed", "Service": "PJSIP", "AccountID": "<unknown>", "RemoteAddress": "IPV4/UDP/198.51.100.7/60917"}
    assert watch.remote(event) == ip_address("198.51.100.7") and watch.sign_of(event) == (guesses.UNKNOWN, "")
    assert watch.sign_of(event | {"AccountID": "1001"}) == (guesses.PROVED, "1001")
    assert watch.sign_of(event | {"Event": "InvalidAccountID", "AccountID": "9999"}) == (guesses.NAMED, "9999")
    assert watch.remote({"RemoteAddress": "IPV6/UDP/2001:db8::1/5060"}) == ip_address("2001:db8::1") and watch.remote({}) is None
