# The few calls of pyst2 0.5.1 that appliance/telephony/ami.py uses.
from threading import Event as Flag
from typing import Any

class ManagerException(Exception): ...
class ManagerSocketException(ManagerException):
    def __init__(self, errno: int, strerror: str) -> None: ...

class ManagerAuthException(ManagerException): ...

class ManagerMsg:
    headers: dict[str, str]
    data: str
    response: Any

class Manager:
    _connected: Flag
    _running: Flag
    title: str | None
    version: str
    def __init__(self) -> None: ...
    def login(self, username: str, secret: str) -> ManagerMsg: ...
