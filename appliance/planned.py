"""Names of the site file that later work fills: with --skip-unavailable they are left out and listed, a typing mistake never is."""

SECTIONS = {
    "conference_rooms", "scheduled_conferences", "feature_codes",
    "custom_rules", "callbacks", "voicemail_boxes", "phonebook_contacts", "notices", "pause_types", "goals",
    "scripts", "dispositions", "labels", "sms_templates", "dialer_campaigns", "collection_campaigns", "agents",
}

KEYS = {  # section (or section.list) → keys
    "extension_classes": {"voicemail", "follow_me", "lock", "password_call", "change_status"},
    "extensions": {"webrtc", "call_centre", "provisioning", "hide_in_phonebook", "voicemail_pin"},
    "outbound_routes.rules": {"cnl"},
    "users": {"feature_pin", "queues", "supervisor", "team", "avatar"},
}

CHOICES: dict[str, set[str]] = {"ivrs.mode": {"advanced"}}  # field → words; a row with one of these waits as a whole: with another value it would be another thing

WORDS = {"users.modules": {
    "user_panel", "operator_panel", "agent_screen", "queues", "ivrs", "sms", "dialer", "collections",
}}

DESTINATIONS = {"voicemail", "conference_room", "custom_rule", "callback"}
