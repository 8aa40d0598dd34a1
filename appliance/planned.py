"""Names of the site file that later work fills: with --skip-unavailable they are left out and listed, a typing mistake never is."""

SECTIONS = {
    "moh_classes", "calendar_events",
    "work_shifts", "time_conditions", "custom_rules",
    "announcements", "ratings", "callbacks", "phonebook_contacts", "notices", "pause_types", "goals",
    "scripts", "dispositions", "labels", "sms_templates", "dialer_campaigns", "collection_campaigns", "agents",
}

KEYS = {  # section (or section.list) → keys
    "extension_classes": {"change_status", "call_time_window"},
    "feature_codes": {"ad_hoc_conference"},
    "extensions": {"webrtc", "call_centre", "provisioning", "hide_in_phonebook"},
    "outbound_routes.rules": {"cnl"},
    "users": {"queues", "supervisor", "work_shift", "team", "avatar"},
}

CHOICES: dict[str, set[str]] = {}  # field → words; a row with one of these waits as a whole: with another value it would be another thing

WORDS = {"users.modules": {
    "user_panel", "operator_panel", "agent_screen", "queues", "ivrs", "sms", "dialer", "collections",
}}

DESTINATIONS = {"announcement", "custom_rule", "time_condition", "callback"}
