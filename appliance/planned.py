"""Names of the site file that later work fills: with --skip-unavailable they are left out and listed, a typing mistake never is."""

SECTIONS = {
    "custom_rules", "callbacks", "phonebook_contacts", "notices", "pause_types", "goals",
    "scripts", "dispositions", "labels", "sms_templates", "dialer_campaigns", "collection_campaigns", "agents",
}

KEYS = {  # section (or section.list) → keys
    "extension_classes": {"change_status"},
    "feature_codes": {"ad_hoc_conference"},
    "extensions": {"webrtc", "call_centre"},
    "outbound_routes.rules": {"cnl"},
    "users": {"queues", "supervisor", "team", "avatar"},
}

CHOICES: dict[str, set[str]] = {"ivrs.mode": {"advanced"}}  # field → words; a row with one of these waits as a whole: with another value it would be another thing

WORDS = {"users.modules": {
    "user_panel", "operator_panel", "agent_screen", "queues", "ivrs", "sms", "dialer", "collections",
}}

DESTINATIONS = {"custom_rule", "callback"}
