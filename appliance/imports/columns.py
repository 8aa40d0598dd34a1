"""Which column of a file fills which field: a guess from the headings, checks of what the person chose, samples without secrets."""

from flask_babel import gettext as _

from appliance import csv_files
from appliance.cells import in_languages
from appliance.csv_files import Sheet, folded
from appliance.errors import Refused
from appliance.fields import Field
from appliance.resource import Resource

SECRET_WORDS = ("senha", "password", "secret", "segredo", "pin", "token", "chave", "registro", "registration")


def guess(resource: Resource, head: list[str]) -> dict[str, int]:
    """Field → column: by the field's name or label in Portuguese or English, the word for a row, then by its other names."""
    headings = [folded(heading) for heading in head]
    found: dict[str, int] = {}
    for names_of in (_names, _other_names):
        for name, spec in resource.fields.items():
            wanted = names_of(resource, spec)
            free = (index for index, heading in enumerate(headings) if heading in wanted and index not in found.values())
            index = next(free, None)
            if name not in found and index is not None:
                found[name] = index
    return found


def _names(resource: Resource, spec: Field) -> set[str]:
    own = {folded(spec.name), *(folded(label) for label in in_languages(lambda: spec.label))}
    if spec.name == resource.key:
        own |= {folded(one) for one in in_languages(lambda: resource.one)} | {"key", "chave"}
    return own - {""}


def _other_names(_resource: Resource, spec: Field) -> set[str]:
    words = [word for word in spec.also.replace("/", " ").split() if len(word) > 3]
    return {folded(spec.also), *map(folded, words)} - {""}


def check(resource: Resource, head: list[str], mapping: dict[str, int]) -> dict[str, int]:
    """The mapping as it may be used, in the order of the fields. Raises Refused with a message per field."""
    messages: dict[str, str] = {}
    taken: dict[int, str] = {}
    for name, index in mapping.items():
        if name not in resource.fields:
            messages[name] = _("There is no field “%(name)s” here.", name=name)
        elif not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(head):
            messages[name] = _("There is no such column.")
        elif index in taken:
            messages[name] = _("The column “%(column)s” already fills %(field)s.", column=head[index], field=resource.fields[taken[index]].label)
        else:
            taken[index] = name
    if resource.key and resource.key not in mapping:
        messages[resource.key] = _("Choose the column that says which row is meant.")
    if not mapping:
        messages[""] = _("Choose at least one column.")
    if messages:
        raise Refused(next(iter(messages.values())), messages=messages)
    return {name: mapping[name] for name in resource.fields if name in mapping}


def is_secret(spec: Field) -> bool:
    """Whether what stands in its column is never shown again: passwords, and short forms that hold one."""
    return spec.kind.secret or spec.input_only


def samples(resource: Resource, sheet: Sheet, count: int = 3) -> list[list[str]]:
    """The first values of each column, for the page where columns are chosen; hidden where they may be passwords."""
    guessed = {index: name for name, index in guess(resource, sheet.head).items()}
    found = []
    for index, heading in enumerate(sheet.head):
        hidden = any(word in folded(heading) for word in SECRET_WORDS) or (index in guessed and is_secret(resource.fields[guessed[index]]))
        values = [csv_files.text_of(cells[index]) for _line, cells in sheet.rows[:50]]
        found.append(["••••••"] if hidden and any(values) else [value[:60] for value in values if value][:count])
    return found
