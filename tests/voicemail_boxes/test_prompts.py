"""The prompts of the mailbox: all that Asterisk's module may ask for are ours, in Portuguese."""

import re

import pytest

from appliance import prompts
from appliance.telephony import runtime

# Prompts no English exchange has, but the Portuguese parts of app_voicemail and say.c ask for.
PORTUGUESE = {"vm-INBOXs", "vm-Olds", "vm-youhaveno", "digits/pt-de", "digits/pt-e", "digits/h-1", "digits/hour", "digits/hours", "minute", "minutes"}
DATES = {"digits/at", "digits/today", "digits/yesterday", *(f"digits/day-{day}" for day in range(7)), *(f"digits/mon-{month}" for month in range(12))}
COMPOSED = {"vm-Cust1", "vm-Cust2", "vm-Cust3", "vm-Cust4", "vm-Cust5"}  # “vm-%s” of a folder's name


def test_every_prompt_the_module_asks_for_is_spoken_in_portuguese():
    """FEA-17: whatever of the module's names the English package speaks, of any menu, and what its Portuguese parts put together; none is
    heard in English."""
    asterisk = runtime.installed()
    module = (asterisk.modules / "app_voicemail.so").read_bytes()
    named = {name.decode() for name in re.findall(rb"(?:vm-|auth-)[A-Za-z0-9-]+", module)}
    english = {file.stem for file in (asterisk.share / "sounds" / "en").iterdir()}
    asked = {name for name in named if name in english}
    assert len(asked) > 70, "the module and the English sounds were found"
    assert sorted((asked | PORTUGUESE | DATES | COMPOSED) - set(prompts.texts("pt_BR"))) == []


@pytest.mark.parametrize(("one", "several"), [("vm-INBOXs", "vm-INBOX"), ("vm-Olds", "vm-Old")])
def test_one_message_is_nova_and_several_are_novas(one, several):
    """FEA-17: vm_intro_pt_BR says “mensagem” with the name that ends in s, and “mensagens” with the other."""
    said = prompts.texts("pt_BR")
    assert said[several][0] == f"{said[one][0]}s"


def test_each_menu_line_names_the_key_that_does_it():
    """FEA-17: keys of vm_instructions, vm_options and the menu behind a message, as the English prompts tell them."""
    said = prompts.texts("pt_BR")
    keys = {"vm-prev": "quatro", "vm-repeat": "cinco", "vm-delete": "sete", "vm-undelete": "sete", "vm-toforward": "oito", "vm-savemessage": "nove",
            "vm-advopts": "três", "vm-tohearenv": "três", "vm-toreply": "um", "vm-tocallback": "dois"}  # fmt: skip
    assert [name for name, key in keys.items() if key not in said[name][0]] == []
    options = said["vm-options"][0]
    assert re.search("um .*não atende.* dois .*ocupado.* quatro .*temporária.* asterisco", options) and "senha" not in options
