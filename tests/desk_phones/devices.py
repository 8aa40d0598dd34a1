"""Desk phones as far as provisioning goes: each asks for its files as its brand does, over the network, and reads what it gets.

How they ask is public knowledge written down in docs/provisioning.md; no hardware stands behind it.
"""

import re
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from xml.etree import ElementTree

from appliance import settings
from appliance.db import db


@dataclass
class Account:
    """What a file told the phone."""

    user: str
    auth: str
    password: str
    name: str
    server: str
    port: int
    address: str       # where it fetches the next file
    page_password: str
    voicemail: str = ""


@dataclass
class Device:
    """One phone. `base` is what a person wrote into it or DHCP told it; a served file gives it another."""

    brand: str
    mac: str
    base: str = ""
    model: str = ""
    statuses: list[int] = field(default_factory=list)
    account: Account | None = None

    @property
    def digits(self) -> str:
        return self.mac.replace(":", "").lower()

    def get(self, file: str, base: str = "") -> str:
        """One request; "" for anything but 200. Each status is noted."""
        db.session.rollback()  # a reader of the test's own must not hold up the one who writes down the visit
        request = urllib.request.Request(f"{(base or self.base).rstrip('/')}/{file}", headers={"User-Agent": self.agent()})
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                self.statuses.append(answer.status)
                return answer.read().decode()
        except urllib.error.HTTPError as why:
            self.statuses.append(why.code)
            return ""

    def start(self) -> Account | None:
        """What happens after power-on: the files of the brand in their order; the account it has then, None when it got nothing."""
        self.statuses.clear()
        for file in self.files():
            text = self.get(file)
            if text:
                self.account = self.read(text)
                self.base = self.account.address
        return self.account

    def phonebook(self) -> list[tuple[str, str]]:
        """(name, number) as the phone lists them after its refresh."""
        raise NotImplementedError

    def agent(self) -> str:
        raise NotImplementedError

    def files(self) -> list[str]:
        raise NotImplementedError

    def read(self, text: str) -> Account:
        raise NotImplementedError


class Escene(Device):
    """Khomp IPS 200 and 212, Intelbras S3002."""

    def agent(self) -> str:
        return "ES320VN2 v4.0"

    def files(self) -> list[str]:
        return [f"{self.digits}.xml", f"{self.digits}_extern.xml"]

    def read(self, text: str) -> Account:
        root = ElementTree.fromstring(text.encode())
        user, way = root.find("sipUsers/sipUser[@id='0']"), root.find("Privisions/privision")
        assert root.tag == "all" and user is not None and way is not None and user.get("EnableAccount") == "1"
        server, _colon, port = user.get("DomainName", "").rpartition(":")
        scheme = {"1": "http", "3": "https"}[way.get("protocol", "")]
        return Account(user.get("UserNumber", ""), user.get("approveName", ""), user.get("Password", ""), user.get("UserName", ""), server, int(port),
                       f"{scheme}://{way.get('Firmware')}/", root.find("passwords/password").get("Password", ""), user.get("CallLeaveMessageNum", ""))

    def phonebook(self) -> list[tuple[str, str]]:
        root = ElementTree.fromstring(self.get("Enterprise_Phonebook.xml").encode())
        return [(book.get("FirstName", ""), book.get("OfficeNum", "")) for book in root.iterfind("PhoneBooks/book")]


class Grandstream(Device):
    """GXP and GRP."""

    def agent(self) -> str:
        return f"Grandstream Model HW {self.model or 'GXP1625'} SW 1.0.4.138 DevId {self.digits}"

    def files(self) -> list[str]:
        return [f"cfg{self.digits}", f"cfg{self.digits}.xml", f"cfg{(self.model or 'gxp1625').lower()}.xml", "cfg.xml"]

    def read(self, text: str) -> Account:
        root = ElementTree.fromstring(text.encode())
        assert root.tag == "gs_provision" and root.findtext("mac") == self.digits
        codes = {one.tag: one.text or "" for one in root.find("config")}
        assert codes["P271"] == "1" and codes["P330"] == {"1": "1", "2": "3"}[codes["P212"]] and codes["P331"] == codes["P237"]
        server, _colon, port = codes["P47"].rpartition(":")
        return Account(codes["P35"], codes["P36"], codes["P34"], codes["P3"], server, int(port),
                       f"{ {'1': 'http', '2': 'https'}[codes['P212']]}://{codes['P237']}/", codes["P2"], codes["P33"])

    def phonebook(self) -> list[tuple[str, str]]:
        root = ElementTree.fromstring(self.get("phonebook.xml").encode())
        return [(one.findtext("FirstName") or "", one.findtext("Phone/phonenumber") or "") for one in root.iterfind("Contact")]


class Yealink(Device):
    """Intelbras TIP 200 and 300, as far as one knows."""

    def agent(self) -> str:
        return "Intelbras TIP200"

    def files(self) -> list[str]:
        return ["y000000000007.cfg", f"{self.digits}.cfg"]

    def read(self, text: str) -> Account:
        lines = dict(re.findall(r"(?m)^([a-z0-9_.]+) = (.*)$", text))
        assert text.startswith("#!version:1.0.0.1\n") and lines["account.1.enable"] == "1"
        self.book = lines["remote_phonebook.data.1.url"]
        return Account(lines["account.1.user_name"], lines["account.1.auth_name"], lines["account.1.password"], lines["account.1.display_name"],
                       lines["account.1.sip_server_host"], int(lines["account.1.sip_server_port"]), lines["auto_provision.server.url"],
                       lines["security.user_password"].removeprefix("admin:"), lines["voice_mail.number.1"])

    def phonebook(self) -> list[tuple[str, str]]:
        base, _slash, file = self.book.rpartition("/")
        root = ElementTree.fromstring(self.get(file, base).encode())
        return [(one.findtext("Name") or "", one.findtext("Telephone") or "") for one in root.iterfind("DirectoryEntry")]


KINDS = {"khomp": (Escene, "IPS 200"), "grandstream": (Grandstream, "GXP1625"), "intelbras": (Yealink, "TIP 200"), "intelbras S": (Escene, "S3002")}


def plain(brand: str) -> str:
    """The address of a brand on this machine, without a secret."""
    return f"http://127.0.0.1:{settings.load().http_port}/provisioning/{brand}/"
