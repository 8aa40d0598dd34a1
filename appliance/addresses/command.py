"""`bentevi addresses`: who is kept out, at the console. What it does stands beside it, loaded only when it is asked for."""

from collections.abc import Callable
from typing import Any

import click

from appliance.errors import Refused


def add_to(group: click.Group, rows: Any, tell: Any, store: Callable[[], None]) -> None:
    """Hang `addresses list`, `unblock`, `block` and `allow` under the command; `rows` opens the application, `tell` prints, `store` commits."""

    @group.group("addresses")
    def addresses() -> None:
        """Addresses that may not come in."""

    @addresses.command("list")
    @click.option("--json", "as_json", is_flag=True, help="Print data instead of words.")
    def list_(as_json: bool) -> None:
        """Addresses blocked for wrong passwords, and the rules people made."""
        from appliance.address_policy import bans
        from appliance.address_rules.model import resource

        with rows():
            found = [facts(ban) for ban in bans.standing()]
            held = [resource.show(row) for row in resource.rows()]
            tell({"blocked": found, "rules": held}, as_json, lambda: [
                *(f"{one['address']:<40} {one['kind']:<6} until {one['until']:%Y-%m-%d %H:%M}Z  {one['tries']} tries of {one['users_count']} users: "
                  f"{', '.join(one['users'][:5])}" for one in found),
                *(f"{one['address']:<40} {one['action']:<6} {one['description']}".rstrip() for one in held),
                *([] if found or held else ["nobody is kept out"])])

    @addresses.command("unblock")
    @click.argument("address")
    def unblock(address: str) -> None:
        """Let ADDRESS in again now. A rule that blocks it stays; it is named."""
        from appliance.address_policy import bans
        from appliance.address_rules import model as rules
        from appliance.addresses import force
        from appliance.networks import BLOCK, rule_for

        with rows():
            one = _address(address)
            lifted = bans.of_address(str(one))
            for ban in lifted:
                bans.lift(ban)
            store()
            force.put()
            click.echo(f"{one}: {'may come in again' if lifted else 'was not blocked for wrong passwords'}")
            if rule_for(one, rules.rules()) == BLOCK:
                raise Refused(f"{one} is still blocked by a rule; see bentevi addresses list, or: bentevi addresses allow {one}")

    def set_rule(name: str, help_text: str) -> None:
        @addresses.command(name, help=help_text)
        @click.argument("address")
        @click.option("--description", default="", help="Who or what this is.")
        def _set(address: str, description: str) -> None:
            from appliance.address_rules import model as rules
            from appliance.addresses import force

            with rows():
                row = rules.put_rule(address, name, description)
                store()
                force.put()
                click.echo(f"{row.address}: {name}")
                if name == "block":
                    click.echo("Whoever works from there is out now, also you when you do: bentevi addresses allow undoes it.", err=True)

    set_rule("block", "Keep ADDRESS (or a network, 192.0.2.0/24) out for good.")
    set_rule("allow", "Let ADDRESS (or a network) in for good: it is never blocked for wrong passwords, nor by a wider rule.")


def facts(ban: Any) -> dict[str, Any]:
    """A ban as data."""
    return {"id": ban.id, "address": ban.address, "kind": ban.kind, "users": ban.users, "users_count": ban.users_count, "tries": ban.tries_count,
            "since": ban.since, "until": ban.until}  # fmt: skip


def _address(text: str) -> Any:
    from appliance import networks

    found = networks.address(text)
    if found is None:
        raise Refused(f"{text} is no address")
    return found
