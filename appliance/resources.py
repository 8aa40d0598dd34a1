"""TABLE of every resource, in menu order. Reading it is reading what can be configured."""

from appliance import resource
from appliance.address_policy import model as address_policy
from appliance.address_rules import model as address_rules
from appliance.announcements import model as announcements
from appliance.audio_prompts import model as audio_prompts
from appliance.backup_policy import model as backup_policy
from appliance.blacklists import model as blacklists
from appliance.business_hours import model as business_hours
from appliance.calendar_events import model as calendar_events
from appliance.certificate import model as certificate
from appliance.company import model as company
from appliance.conference_rooms import model as conference_rooms
from appliance.cost_centres import model as cost_centres
from appliance.desk_phones import model as desk_phones
from appliance.dialing_profiles import model as dialing_profiles
from appliance.email import model as email
from appliance.extension_classes import model as extension_classes
from appliance.extensions import model as extensions
from appliance.feature_codes import model as feature_codes
from appliance.follow_me import model as follow_me
from appliance.inbound_routes import model as inbound_routes
from appliance.internal_routes import model as internal_routes
from appliance.ivrs import model as ivrs
from appliance.khomp_boards import model as khomp_boards
from appliance.modules import model as modules
from appliance.moh_classes import model as moh_classes
from appliance.outbound_routes import model as outbound_routes
from appliance.pickup_groups import model as pickup_groups
from appliance.queues import model as queues
from appliance.ratings import model as ratings
from appliance.recording_policy import model as recording_policy
from appliance.retention_policy import model as retention_policy
from appliance.scheduled_conferences import model as scheduled_conferences
from appliance.sip import model as sip
from appliance.time_conditions import model as time_conditions
from appliance.trunks import model as trunks
from appliance.update_policy import model as update_policy
from appliance.users import model as users
from appliance.voicemail_boxes import model as voicemail_boxes
from appliance.work_shifts import model as work_shifts

RESOURCES = [
    extensions.resource,
    desk_phones.resource,
    extension_classes.resource,
    pickup_groups.resource,
    dialing_profiles.resource,
    trunks.resource,
    khomp_boards.resource,
    inbound_routes.resource,
    outbound_routes.resource,
    internal_routes.resource,
    queues.resource,
    ivrs.resource,
    announcements.resource,
    ratings.resource,
    business_hours.resource,
    calendar_events.resource,
    time_conditions.resource,
    conference_rooms.resource,
    scheduled_conferences.resource,
    feature_codes.resource,
    follow_me.resource,
    voicemail_boxes.resource,
    audio_prompts.resource,
    moh_classes.resource,
    blacklists.resource,
    users.resource,
    work_shifts.resource,
    cost_centres.resource,
    company.resource,
    sip.resource,
    address_rules.resource,
    address_policy.resource,
    email.resource,
    certificate.resource,
    recording_policy.resource,
    retention_policy.resource,
    backup_policy.resource,
    update_policy.resource,
    modules.resource,
]

resource.use(RESOURCES)
