"""What the scratch Asterisk is told: five extensions, and a trunk in each of the three ways carriers are connected."""

BY_IP_HOST = "127.0.0.2"  # Asterisk tells by_ip peers by address alone, and the phones are at 127.0.0.1.

EXTENSION = """
[{user}](phone)
auth={user}
aors={user}
callerid=Ramal {user} <{user}>
{endpoint_details}
[{user}](password)
username={user}
{auth_details}
[{user}](devices)
"""
PJSIP = """
[udp]
type=transport
protocol=udp
bind=127.0.0.1:{sip_port}
[global]
type=global
; Without it the first REGISTER waits up to 10 s.
max_random_initial_delay=0
[line](!)
type=endpoint
transport=udp
disallow=all
allow=alaw,ulaw
direct_media=no
send_pai=yes
trust_id_inbound=yes
[phone](!,line)
context=internal
[trunk](!,line)
context=incoming
[password](!)
type=auth
auth_type=digest
password=secret
[devices](!)
type=aor
max_contacts=3
remove_existing=yes
{extensions}
[byip](trunk)
aors=byip
[byip]
type=aor
contact=sip:{by_ip_host}:{by_ip_port}
qualify_frequency=1
qualify_timeout=1
[byip]
type=identify
endpoint=byip
match={by_ip_host}

[registrar](trunk)
aors=registrar
outbound_auth=registrar
[registrar]
type=aor
contact=sip:127.0.0.1:{registrar_port}
[registrar](password)
username=4830300000
[registrar]
type=registration
outbound_auth=registrar
server_uri=sip:127.0.0.1:{registrar_port}
client_uri=sip:4830300000@127.0.0.1:{registrar_port}
contact_user=4830300000
retry_interval=1
line=yes
endpoint=registrar
[impostor]
type=auth
auth_type=digest
username=4830300000
password=wrong
[impostor]
type=registration
outbound_auth=impostor
server_uri=sip:127.0.0.1:{registrar_port}
client_uri=sip:4830300000@127.0.0.1:{registrar_port}
contact_user=impostor

[gateway](trunk)
auth=gateway
aors=gateway
[gateway](password)
username=gateway
[gateway](devices)
"""
EXTENSIONS = """
[internal]
exten => _10XX,1,Dial(${PJSIP_DIAL_CONTACTS(${EXTEN})},20)
 same => n,Hangup(${HANGUPCAUSE})
exten => _81X.,1,Dial(PJSIP/${EXTEN:2}@byip,20)
 same => n,Hangup(${HANGUPCAUSE})
exten => _82X.,1,Dial(PJSIP/${EXTEN:2}@registrar,20)
exten => 83,1,Dial(PJSIP/gateway,20)
exten => _10XX,hint,PJSIP/${EXTEN}
exten => 4444,1,Hangup(1)
exten => 600,1,Answer()
 same => n,SendDTMF(159#,100,100)
 same => n,Wait(20)
exten => 601,1,Progress()
 same => n,PlayTones(750)
 same => n,Wait(20)
[incoming]
exten => _X!,1,Set(CALLERID(name)=to ${CUT(CUT(PJSIP_HEADER(read,To),@,1),:,2)})
 same => n,Dial(PJSIP/1000,20)
exten => _+X!,1,Goto(${EXTEN:1},1)
"""


def files(**ports: int) -> dict[str, str]:
    """File names and texts. `ports` are sip_port, by_ip_port and registrar_port; every password is "secret".

    1003 speaks PCMU only, 1004 is challenged with SHA-256; the registration "impostor" has a wrong password.
    """
    details = dict.fromkeys(["1000", "1001", "1002"], ("", ""))
    details |= {"1003": ("allow=!all,ulaw", ""), "1004": ("", "supported_algorithms_uas=SHA-256")}
    extensions = "".join(
        EXTENSION.format(user=user, endpoint_details=endpoint, auth_details=auth)
        for user, (endpoint, auth) in details.items()
    )
    pjsip = PJSIP.format(extensions=extensions, by_ip_host=BY_IP_HOST, **ports)
    return {"pjsip.conf": pjsip, "extensions.conf": EXTENSIONS}
