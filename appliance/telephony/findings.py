"""What is wrong with a set of configuration files, said so that a person finds the row and the screen."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Finding:
    """One mistake.

    `code` is a fixed lower-case word that a caller translates with `parameters` (`MESSAGES[code] % parameters` gives
    the English `text`). `file` is a path under etc/, `line` counts from 1, 0 when no single line is to blame; `word`
    and `row_id` name the row the line was rendered from, "" and 0 when it comes from a file shipped as it is.
    """

    file: str
    line: int
    code: str
    text: str
    word: str = ""
    row_id: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        row = f" ({self.word} {self.row_id})" if self.word else ""
        return f"{self.file}:{self.line}{row}: {self.text}"


def N_(text: str) -> str:
    """Marks a text for the catalogue."""
    return text


MESSAGES = {
    # render
    "line_break": N_("A value has a line break: %(value)s"),
    "dialplan_expression": N_("A value has ${ or $[, which Asterisk would evaluate: %(value)s"),
    "missing_value": N_("A value is missing"),
    "bad_name": N_("“%(value)s” cannot be the name of a section: letters, digits and _ . + - only"),
    "bad_pattern": N_("A number or mask has a sign that cannot be dialled: %(value)s"),
    "bad_argument": N_("“%(value)s” has a character that would end an argument of the dialplan"),
    # reading
    "unclosed_section": N_("A section has no closing ]"),
    "line_without_value": N_("A line has neither = nor =>: %(value)s"),
    "line_outside_section": N_("A line stands before the first section"),
    "missing_include": N_("#include names a file that is not there: %(value)s"),
    "missing_template": N_("Section %(section)s uses a template that does not exist: %(value)s"),
    "unknown_directive": N_("Only #include and #tryinclude are accepted: %(value)s"),
    "unclosed_comment": N_("A block comment is never closed"),
    # pjsip
    "duplicate_section": N_("%(type)s %(section)s is written twice"),
    "unknown_type": N_("Section %(section)s has a type that Asterisk does not know: %(value)s"),
    "missing_type": N_("Section %(section)s has no type"),
    "unknown_option": N_("A %(type)s has no option %(value)s"),
    "missing_object": N_("%(section)s names %(type)s %(value)s, which does not exist"),
    "unknown_codec": N_("Asterisk does not know the codec %(value)s"),
    "missing_context": N_("Context %(value)s does not exist"),
    # dialplan
    "unknown_application": N_("Asterisk has no application %(value)s"),
    "unknown_function": N_("Asterisk has no function %(value)s"),
    "bad_extension_line": N_("A line of the dialplan cannot be read: %(value)s"),
    "missing_extension": N_("Context %(context)s has no extension %(value)s"),
    "missing_priority": N_("Extension %(extension)s in context %(context)s has no priority or label %(value)s"),
    "priority_gap": N_("Extension %(extension)s in context %(context)s has priority %(value)s without the one before"),
    "duplicate_priority": N_("Extension %(extension)s in context %(context)s has priority %(value)s twice"),
    "missing_sound": N_("There is no sound %(value)s"),
    "missing_parenthesis": N_("A call of an application has no closing parenthesis: %(value)s"),
    # queues
    "unknown_queue_option": N_("A queue has no option %(value)s"),
    "unknown_strategy": N_("Asterisk does not know the strategy %(value)s"),
    "missing_member": N_("Queue %(section)s has a member that is no endpoint: %(value)s"),
    "missing_queue": N_("There is no queue %(value)s"),
    "bad_number": N_("%(key)s must be a whole number, not %(value)s"),
    # khomp.conf
    "khomp_section": N_("khomp.conf has no section %(value)s"),
    "khomp_option": N_("Khomp's driver has no option %(value)s here"),
    "khomp_value": N_("%(key)s does not take the value %(value)s"),
    "khomp_twice": N_("%(value)s is written twice"),
    "khomp_shared": N_("The groups %(group)s and %(value)s have a channel in common"),
    "loop": N_("Calls would go round without anybody pressing a key: %(value)s"),
    "bad_allocation": N_("“%(value)s” names no channels of Khomp boards"),
    "missing_group": N_("There is no group %(value)s of Khomp channels"),
    # shadow
    "not_ready": N_("The second Asterisk was not ready after %(value)s seconds"),
    "did_not_boot": N_("Asterisk did not start with these files: %(value)s"),
    "asterisk_complains": N_("Asterisk says: %(value)s"),
    "not_loaded": N_("Asterisk did not load %(type)s %(section)s"),
    # after the switch
    "reload_refused": N_("Asterisk answered “%(value)s” to “%(command)s”"),
    "live_value_differs": N_("%(type)s %(section)s is live with %(key)s = %(live)s instead of %(wanted)s"),
    "live_object_missing": N_("%(type)s %(section)s is not live"),
    "canary_not_answered": N_("The test call to %(value)s was not answered"),
    "canary_silent": N_("The test call to %(value)s was answered, but nothing was heard"),
    "canary_not_returned": N_("The test call to %(value)s was answered by something that does not return what it hears"),
    "canary_impossible": N_("The test call to %(value)s could not be made: %(why)s"),
    "live_object_left": N_("%(type)s %(section)s is still live although it was removed"),
}


def finding(file: str, line: int, code: str, origin: tuple[str, int] = ("", 0), **parameters: str) -> Finding:
    """A Finding with its English text filled in."""
    return Finding(file, line, code, MESSAGES[code] % parameters, origin[0], origin[1], parameters)
