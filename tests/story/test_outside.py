"""Calls that leave by trunks, as the carrier sees them."""

import pytest

from tests.build import (
    change,
    company,
    make_class,
    make_extension,
    make_outbound_route,
    make_profile,
    make_trunk,
)

pytestmark = pytest.mark.pbx

LOCAL = {"mask": "[2-5]XXXXXXX", "external_line": True, "prepend": "48", "trunk": "A"}


def test_a_number_leaves_with_digits_taken_off_and_put_on(pbx, phone, carrier):
    """RTE-12, RTE-14, EXT-07: after the external prefix, by mask, as the captured INVITE shows; without the prefix it fails."""
    make_trunk("A", carrier.port, caller_id="4830139018")
    make_outbound_route("Local", LOCAL, {"mask": "0ZZ9XXXXXXXX", "external_line": False, "strip": 1, "prepend": "015", "trunk": "A"},
                        {"mask": "55ZZXXXXXXXX", "strip": 2, "trunk": "A"})
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    handset = phone(ana)
    call = handset.call("033334444")
    assert call.talks_with(carrier.wait_call("4833334444"))
    assert carrier.received[0].caller_number == "4830139018"
    call.hang_up()
    assert handset.call("33334444").wait_refused() == 404
    handset.call("099999999999")  # the wiki's example: 0 + area + 9 digits, remove 1, add 015
    assert carrier.wait_call("01599999999999").number == "01599999999999"
    handset.call("555125554444")  # the manual's example: remove 2
    assert carrier.wait_call("5125554444").number == "5125554444"


def test_changing_the_external_prefix_changes_what_completes(pbx, phone, carrier):
    """FEA-02: 9 instead of 0 makes 9+number complete and 0+number fail."""
    make_trunk("A", carrier.port)
    make_outbound_route("Local", LOCAL)
    ana = make_extension("1000", dialing_profile=make_profile("Local", "Local").name)
    company(external_line_prefix="9")
    pbx.apply()
    handset = phone(ana)
    assert handset.call("933334444").talks_with(carrier.wait_call("4833334444"))
    assert handset.call("033334444").wait_refused() == 404


def test_without_a_profile_only_the_inside_and_emergency(pbx, phone, carrier):
    """EXT-01, EXT-27: an outside number is refused and logged; 190 passes."""
    make_trunk("A", carrier.port)
    make_outbound_route("Local", LOCAL)
    ana = make_extension("1000")
    pbx.apply()
    handset = phone(ana)
    assert handset.call("033334444").wait_refused() == 403
    assert "refused: no dialing profile, number 033334444, from 1000" in pbx.log()
    assert carrier.received == []
    assert handset.call("190").talks_with(carrier.wait_call("190"))


def test_two_profiles_leave_by_different_carriers_and_one_is_refused(pbx, phone, carrier, second_carrier):
    """EXT-07, EXT-27, RTE-21: the profile decides whom an extension may call and by which carrier."""
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Por A", {"mask": "9XXXXXXXX", "trunk": "A"})
    make_outbound_route("Por B", {"mask": "9XXXXXXXX", "trunk": "B"}, {"mask": "00X.", "trunk": "B"})
    ana = make_extension("1000", dialing_profile=make_profile("Com A", "Por A").name)
    bruno = make_extension("1001", dialing_profile=make_profile("Com B", "Por B", "Por A").name)
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    assert a.call("999998888").talks_with(carrier.wait_call("999998888"))
    assert b.call("999998888").talks_with(second_carrier.wait_call("999998888"))
    assert a.call("0054111234").wait_refused() == 404
    assert b.call("0054111234").talks_with(second_carrier.wait_call("0054111234"))


@pytest.mark.parametrize(("answer", "condition"), [(486, "busy"), (503, "failure")])
def test_overflow_by_condition(pbx, phone, carrier, second_carrier, answer, condition):
    """RTE-19: with the matching condition the call leaves by B with B's digits, from the number as dialled; without it, it ends."""
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    overflow = {"conditions": [condition], "strip": 1, "prepend": "7", "trunk": "B"}
    route = make_outbound_route("Local", LOCAL | {"overflow": [overflow]})
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    carrier.default = answer
    handset = phone(ana)
    assert handset.call("033334444").talks_with(second_carrier.wait_call("73334444"))
    assert [call.number for call in carrier.received] == ["4833334444"]
    other = "failure" if condition == "busy" else "busy"
    change(route, rules=[LOCAL | {"overflow": [overflow | {"conditions": [other]}]}])
    pbx.apply()
    assert handset.call("033334444").wait_refused() in (486, 503)
    assert len(second_carrier.received) == 1


def test_three_steps_of_overflow_in_order(pbx, phone, phones, carrier, second_carrier):
    """RTE-19: A busy, B out of order, C takes the call."""
    from tests.carrier import BY_IP, Carrier
    from tests.homes import free_ports

    third = phones.keep(Carrier(pbx.address, free_ports(1)[0], BY_IP, name="third carrier"))
    for name, one in (("A", carrier), ("B", second_carrier), ("C", third)):
        make_trunk(name, one.port)
    make_outbound_route("Local", LOCAL | {"overflow": [{"trunk": "B"}, {"trunk": "C", "prepend": "9"}]})
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    carrier.default, second_carrier.default = 486, 503
    assert phone(ana).call("033334444").talks_with(third.wait_call("933334444"))
    assert len(carrier.received) == len(second_carrier.received) == 1


def test_the_call_limit_of_a_trunk_overflows(pbx, phone, carrier, second_carrier):
    """TRK-05, RTE-19: with limit 2 the third call does not leave by this trunk; after one ends the place is free again."""
    make_trunk("A", carrier.port, call_limit=2)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Local", LOCAL | {"overflow": [{"conditions": ["trunk_limit"], "prepend": "48", "trunk": "B"}]})
    profile = make_profile("Completo", "Local").name
    rows = [make_extension(str(1000 + number), dialing_profile=profile) for number in range(4)]
    pbx.apply()
    handsets = [phone(row) for row in rows]
    first = handsets[0].call("033330000").wait_answered()
    handsets[1].call("033330001").wait_answered()
    assert handsets[2].call("033330002").talks_with(second_carrier.wait_call("4833330002"))
    first.hang_up()
    handsets[3].call("033330003").wait_answered()
    assert sorted(call.number for call in carrier.received) == ["4833330000", "4833330001", "4833330003"]


def test_the_call_limit_holds_when_all_call_at_once(pbx, phone, carrier, second_carrier):
    """TRK-05: eight calls in the same instant, limit 3: exactly three leave by A, the others by B."""
    make_trunk("A", carrier.port, call_limit=3)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Local", LOCAL | {"overflow": [{"conditions": ["trunk_limit"], "prepend": "48", "trunk": "B"}]})
    profile = make_profile("Completo", "Local").name
    rows = [make_extension(str(1000 + number), dialing_profile=profile) for number in range(8)]
    pbx.apply()
    handsets = [phone(row) for row in rows]
    calls = [handset.call(f"03333000{number}") for number, handset in enumerate(handsets)]
    for call in calls:
        call.wait_answered()
    assert (len(carrier.received), len(second_carrier.received)) == (3, 5)


def test_a_disabled_trunk_keeps_its_call_and_refuses_the_next(pbx, phone, carrier, second_carrier):
    """TRK-03: calls in progress go on, the next overflows; calls in are refused."""
    trunk = make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Local", LOCAL | {"overflow": [{"trunk": "B"}]})
    profile = make_profile("Completo", "Local").name
    ana, bruno = make_extension("1000", dialing_profile=profile), make_extension("1001", dialing_profile=profile)
    pbx.apply()
    call = phone(ana).call("033334444")
    there = carrier.wait_call("4833334444")
    assert call.talks_with(there)
    change(trunk, enabled=False)
    pbx.apply()
    assert call.talks_with(there)
    assert phone(bruno).call("033334444").talks_with(second_carrier.wait_call("33334444"))
    assert carrier.call("4830139018", caller="4899998888").wait_refused() == 403


def test_who_is_shown_to_the_carrier(pbx, phone, carrier):
    """RTE-17, EXT-23, TRK-12: the rule's forced number, then the class's, the rule's, the trunk's, at last the extension's."""
    trunk = make_trunk("A", carrier.port)
    forcing = make_class("Com bina")
    rule = {"mask": "9XXXXXXXX", "trunk": "A"}
    route = make_outbound_route("Celular", rule)
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Celular").name, **{"class": forcing.name})
    pbx.apply()
    handset = phone(ana)
    winners = [
        ("1000", {}, {}, {}),
        ("4830000001", {"caller_id": "4830000001"}, {}, {}),
        ("4830000002", {"caller_id": "4830000001"}, {"caller_id": "4830000002"}, {}),
        ("4830000003", {"caller_id": "4830000001"}, {"caller_id": "4830000002"}, {"caller_id": "4830000003"}),
        ("4830000002", {"caller_id": "4830000001"}, {"caller_id": "4830000002", "force_caller_id": True}, {"caller_id": "4830000003"}),
    ]
    for number, (winner, of_trunk, of_rule, of_class) in enumerate(winners):
        change(trunk, caller_id="", **of_trunk) if not of_trunk else change(trunk, **of_trunk)
        change(route, rules=[rule | of_rule])
        change(forcing, **({"caller_id": ""} | of_class))
        pbx.apply()
        call = handset.call(f"99999000{number}").wait_answered()
        assert carrier.wait_call(f"99999000{number}").caller_number == winner
        call.hang_up()


def test_a_rule_kept_for_one_extension(pbx, phone, carrier, second_carrier):
    """RTE-18: 2024 uses the rule kept for it, 2025 with the same profile falls to the next rule, or is refused."""
    make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    kept = make_extension("2024")
    route = make_outbound_route("Celular", {"mask": "9XXXXXXXX", "trunk": "A", "restrict_to": ["2024"]}, {"mask": "9.", "trunk": "B"})
    profile = make_profile("Completo", "Celular").name
    change(kept, dialing_profile=profile)
    other = make_extension("2025", dialing_profile=profile)
    pbx.apply()
    mine, theirs = phone(kept), phone(other)
    assert mine.call("999998888").talks_with(carrier.wait_call("999998888"))
    assert theirs.call("999998888").talks_with(second_carrier.wait_call("999998888"))
    change(route, rules=[{"mask": "9XXXXXXXX", "trunk": "A", "restrict_to": ["2024"]}])
    pbx.apply()
    assert theirs.call("999998888").wait_refused() == 404
    assert mine.call("999998888").talks_with(carrier.wait_call("999998888"))


def test_a_disabled_rule_rests_and_comes_back(pbx, phone, carrier):
    """RTE-11: disabling the mobile rule makes mobiles fail while landlines work."""
    make_trunk("A", carrier.port)
    mobile, landline = {"mask": "9XXXXXXXX", "trunk": "A"}, {"mask": "3XXXXXXX", "trunk": "A"}
    route = make_outbound_route("Local", mobile | {"enabled": False}, landline)
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    handset = phone(ana)
    assert handset.call("999998888").wait_refused() == 404
    assert handset.call("33334444").talks_with(carrier.wait_call("33334444"))
    change(route, rules=[mobile, landline])
    pbx.apply()
    assert handset.call("999998888").talks_with(carrier.wait_call("999998888"))


def test_collect_and_premium_numbers_are_closed_until_the_profile_opens_them(pbx, phone, carrier):
    """Design: 90…, 0300 and 0900 closed by default."""
    make_trunk("A", carrier.port)
    make_outbound_route("Tudo", {"mask": "X.", "trunk": "A"})
    profile = make_profile("Completo", "Tudo")
    ana = make_extension("1000", dialing_profile=profile.name)
    pbx.apply()
    handset = phone(ana)
    for number in ("909033334444", "90154833334444", "09001234567", "03001234567"):
        assert handset.call(number).wait_refused() == 403
    assert handset.call("08001234567").talks_with(carrier.wait_call("08001234567"))
    change(profile, premium_calls=True)
    pbx.apply()
    assert handset.call("03001234567").talks_with(carrier.wait_call("03001234567"))


def test_an_emergency_call_passes_everything(pbx, phone, carrier, second_carrier):
    """No profile, with and without the external prefix, over the next trunk when the first is dead, past its call limit."""
    make_trunk("A", carrier.port, call_limit=1)
    make_trunk("B", second_carrier.port)
    make_outbound_route("Local", LOCAL)
    profile = make_profile("Completo", "Local").name
    ana, bruno = make_extension("1000"), make_extension("1001", dialing_profile=profile)
    pbx.apply()
    a, b = phone(ana), phone(bruno)
    busy = b.call("033334444").wait_answered()
    assert a.call("190").talks_with(carrier.wait_call("190"))
    assert a.call("0192").talks_with(carrier.wait_call("192"))
    busy.hang_up()
    carrier.default = 503
    assert b.call("193").talks_with(second_carrier.wait_call("193"))
    carrier.dead = True
    carrier.default = "silent"
    call = b.call("0190")
    assert second_carrier.wait_call("190", within_seconds=30).number == "190"
    call.wait_answered(within_seconds=30)


def test_codecs_are_offered_in_the_trunks_order(pbx, phone, carrier):
    """TRK-14: swapping the first two changes what the next call is offered and speaks."""
    trunk = make_trunk("A", carrier.port, codecs=["ulaw", "alaw"])
    make_outbound_route("Local", LOCAL)
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    handset = phone(ana)
    call = handset.call("033334444")
    there = carrier.wait_call("4833334444")
    assert [codec for codec in there.sdp_codecs() if codec != "telephone-event"] == ["PCMU", "PCMA"]
    assert call.talks_with(there)
    call.hang_up()
    change(trunk, codecs=["alaw", "ulaw"])
    pbx.apply()
    handset.call("033334444")
    again = carrier.wait_call("4833334444")
    assert [codec for codec in again.sdp_codecs() if codec != "telephone-event"] == ["PCMA", "PCMU"]


def test_audio_ports_stay_in_the_range(pbx, phone, carrier):
    """TRK-07: both ends of the audio are inside BENTEVI_RTP_PORTS."""
    from appliance import settings

    make_trunk("A", carrier.port)
    make_outbound_route("Local", LOCAL)
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    call = phone(ana).call("033334444").wait_answered()
    there = carrier.wait_call("4833334444")
    ports = [int(line.split()[1]) for message in (call.answer_message, there.invite)
             for line in message.sdp.text.splitlines() if line.startswith("m=audio")]
    machine = settings.load()
    assert len(ports) == 2 and all(machine.rtp_start <= port <= machine.rtp_end for port in ports)


def test_extra_settings_reach_the_carrier(pbx, phone, carrier):
    """TRK-13: what a supplier asks for is in the captured INVITE; lines of old manuals are translated, not written."""
    make_trunk("A", carrier.port, extra={"fromuser": "4830300000", "insecure": "port,invite", "from_domain": "sip.operadora.example"})
    make_outbound_route("Local", LOCAL)
    ana = make_extension("1000", dialing_profile=make_profile("Completo", "Local").name)
    pbx.apply()
    assert phone(ana).call("033334444").talks_with(carrier.wait_call("4833334444"))
    assert "sip:4830300000@sip.operadora.example" in carrier.received[0].header("From")
    assert "insecure" not in pbx.ask("pjsip show endpoint trunk-" + pbx.ask("pjsip list endpoints").split("trunk-")[1].split()[0].split("/")[0])


def test_changing_the_trunk_of_a_rule_moves_the_next_call(pbx, phone, carrier, second_carrier):
    """RTE-15, TRK-02: the next call goes to the other carrier, the one in progress stays; renaming a trunk changes nothing."""
    trunk = make_trunk("A", carrier.port)
    make_trunk("B", second_carrier.port)
    route = make_outbound_route("Local", LOCAL)
    profile = make_profile("Completo", "Local").name
    ana, bruno = make_extension("1000", dialing_profile=profile), make_extension("1001", dialing_profile=profile)
    pbx.apply()
    call = phone(ana).call("033334444")
    there = carrier.wait_call("4833334444")
    change(trunk, name="Operadora nova")
    change(route, rules=[LOCAL | {"trunk": "B"}])
    pbx.apply()
    assert phone(bruno).call("033334444").talks_with(second_carrier.wait_call("4833334444"))
    assert call.talks_with(there)
