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


MESSAGES = {
    # render
    "line_break": "A value has a line break: %(value)s",
    "dialplan_expression": "A value has ${ or $[, which Asterisk would evaluate: %(value)s",
    "missing_value": "A value is missing",
    "bad_name": "“%(value)s” cannot be the name of a section: letters, digits and _ . + - only",
    "bad_argument": "“%(value)s” has a character that would end an argument of the dialplan",
    # reading
    "unclosed_section": "A section has no closing ]",
    "line_without_value": "A line has neither = nor =>: %(value)s",
    "line_outside_section": "A line stands before the first section",
    "missing_include": "#include names a file that is not there: %(value)s",
    "missing_template": "Section %(section)s uses a template that does not exist: %(value)s",
    "unknown_directive": "Only #include and #tryinclude are accepted: %(value)s",
    "unclosed_comment": "A block comment is never closed",
    # pjsip
    "duplicate_section": "%(type)s %(section)s is written twice",
    "unknown_type": "Section %(section)s has a type that Asterisk does not know: %(value)s",
    "missing_type": "Section %(section)s has no type",
    "unknown_option": "A %(type)s has no option %(value)s",
    "missing_object": "%(section)s names %(type)s %(value)s, which does not exist",
    "unknown_codec": "Asterisk does not know the codec %(value)s",
    "missing_context": "Context %(value)s does not exist",
    # dialplan
    "unknown_application": "Asterisk has no application %(value)s",
    "unknown_function": "Asterisk has no function %(value)s",
    "bad_extension_line": "A line of the dialplan cannot be read: %(value)s",
    "missing_extension": "Context %(context)s has no extension %(value)s",
    "missing_priority": "Extension %(extension)s in context %(context)s has no priority or label %(value)s",
    "priority_gap": "Extension %(extension)s in context %(context)s has priority %(value)s without the one before",
    "duplicate_priority": "Extension %(extension)s in context %(context)s has priority %(value)s twice",
    "missing_sound": "There is no sound %(value)s",
    "missing_parenthesis": "A call of an application has no closing parenthesis: %(value)s",
    # queues
    "unknown_queue_option": "A queue has no option %(value)s",
    "unknown_strategy": "Asterisk does not know the strategy %(value)s",
    "missing_member": "Queue %(section)s has a member that is no endpoint: %(value)s",
    "missing_queue": "There is no queue %(value)s",
    "bad_number": "%(key)s must be a whole number, not %(value)s",
    # shadow
    "did_not_boot": "Asterisk did not start with these files: %(value)s",
    "asterisk_complains": "Asterisk says: %(value)s",
    "not_loaded": "Asterisk did not load %(type)s %(section)s",
    # after the switch
    "reload_refused": "Asterisk answered “%(value)s” to “%(command)s”",
    "live_value_differs": "%(type)s %(section)s is live with %(key)s = %(live)s instead of %(wanted)s",
    "live_object_missing": "%(type)s %(section)s is not live",
    "live_object_left": "%(type)s %(section)s is still live although it was removed",
}


def finding(file: str, line: int, code: str, origin: tuple[str, int] = ("", 0), **parameters: str) -> Finding:
    """A Finding with its English text filled in."""
    return Finding(file, line, code, MESSAGES[code] % parameters, origin[0], origin[1], parameters)
