"""Writes synapse.json, canonical.json, ed25519.json and event-signatures.json. README.md says how to run it.

Every expected value comes from Synapse, canonicaljson or PyNaCl. This script only makes the inputs.
"""

import asyncio
import base64
import copy
import hashlib
import importlib.metadata
import json
import pathlib

from canonicaljson import encode_canonical_json
from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as NaclSigningKey
from nacl.signing import VerifyKey
from signedjson.key import decode_signing_key_base64, get_verify_key
from synapse.api.room_versions import KNOWN_ROOM_VERSIONS
from synapse.crypto.event_signing import (
    add_hashes_and_signatures,
    check_event_content_hash,
    compute_content_hash,
    compute_event_reference_hash,
)
from synapse.crypto.keyring import Keyring
from synapse.events.utils import prune_event, validate_canonicaljson
from synapse.federation.federation_base import (
    _check_sigs_on_pdu,
    event_from_pdu_json,
)
from synapse.events import make_event_from_dict
from synapse.storage.keys import FetchKeyResult

HERE = pathlib.Path(__file__).parent
VERSIONS = [str(n) for n in range(1, 13)]
# The versions where a rule changes that matters to the rarer events, to the numbers, and to the content.
ODD_VERSIONS = ["1", "6", "11", "12"]
NUMBER_VERSIONS = ["1", "5", "6", "12"]
CONTENT_VERSIONS = ["1", "6", "12"]
SIGNATURE_VERSIONS = ["1", "2", "4", "5", "7", "8", "12"]
SERVER = "example.org"
TS = 1700000000000


def unpadded(data, url=False):
    encode = base64.urlsafe_b64encode if url else base64.b64encode
    return encode(data).decode().rstrip("=")


def seed_of(name):
    return hashlib.sha256(b"matrix vectors: " + name.encode()).digest()


def signing_key(server, version="1"):
    return decode_signing_key_base64("ed25519", version, unpadded(seed_of(server)))


def key_info(server, version="1"):
    key = signing_key(server, version)
    return {
        "server_name": server,
        "key_id": f"ed25519:{version}",
        "seed": unpadded(seed_of(server)),
        "public_key": unpadded(key.verify_key.encode()),
    }


def made_by(*packages):
    return {
        "name": packages[0],
        "version": importlib.metadata.version(packages[0]),
        "with": {p: importlib.metadata.version(p) for p in packages[1:]},
    }


def write(name, document):
    """Compact; the formatter of the repository lays it out."""
    (HERE / name).write_text(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n", "utf-8")


# --- the events ---------------------------------------------------------------------------------


class Raw(str):
    """JSON text that is written as it stands."""


def to_text(value, **options):
    """JSON text in insertion order, with each Raw as it stands."""
    raws = []

    def mark(v):
        if isinstance(v, Raw):
            raws.append(v)
            return f"@@{len(raws) - 1}@@"
        if isinstance(v, dict):
            return {k: mark(x) for k, x in v.items()}
        if isinstance(v, list):
            return [mark(x) for x in v]
        return v

    text = json.dumps(mark(value), **{"ensure_ascii": False, "separators": (",", ":"), **options})
    for n, raw in enumerate(raws):
        text = text.replace(f'"@@{n}@@"', raw)
    return text


def fake_id(name, version):
    """An event id of the right form for the room version."""
    if version in ("1", "2"):
        return f"${name}:{SERVER}"
    return "$" + unpadded(hashlib.sha256(name.encode()).digest(), url=version != "3")


def fake_reference(name, version):
    if version in ("1", "2"):
        return [fake_id(name, version), {"sha256": unpadded(hashlib.sha256(name.encode()).digest())}]
    return fake_id(name, version)


def room_id_of(version):
    if version == "12":
        return "!" + unpadded(hashlib.sha256(b"create").digest(), url=True)
    return f"!room:{SERVER}"


def pdu(version, name, type_, content, state_key=None, **extra):
    event = {
        "type": type_,
        "sender": f"@alice:{SERVER}",
        "room_id": room_id_of(version),
        "content": content,
        "depth": 7,
        "origin_server_ts": TS,
        "prev_events": [fake_reference("previous", version)],
        "auth_events": [fake_reference("member", version)],
    }
    if version in ("1", "2"):
        event["event_id"] = f"${name}:{SERVER}"
    if state_key is not None:
        event["state_key"] = state_key
    event.update(extra)
    return {k: v for k, v in event.items() if v is not ...}


TEXT_ESCAPES = Raw(
    r'"\u0041\/\b\f\n\r\t\"\\\u0000\u001f\u007f\u0080\u2028\u2029\u00e9\uD83D\uDE00\uff61\ufeff"'
)

CONTENT_CASES = {
    "empty content": {},
    "nested": {"a": {"z": [1, {"y": None, "b": [True, False, []]}], "a": {}}, "": {"": ""}},
    "nested 50 deep": None,
    "unicode key order": {"\U0001f600": 1, "\uff61": 2, "\ufb33": 3, "\u20ac": 4, "z": 5, "é": 6, "e\u0301": 7, "\r": 8},
    "unicode values": {"body": "日本語 \U0001f600 \uff61 é e\u0301 \u200d \ufeff \ufffe \U0010ffff"},
    "control characters": {"body": "\x00\x01\x08\t\n\x0b\x0c\r\x1f\x7f\x80\u2028\u2029\"\\/"},
    "escapes": {"body": TEXT_ESCAPES, "other": Raw(r'"\ud83d\ude00\u0061"')},
    "escaped keys": Raw(r'{"\u0062":1,"a":2,"\ud83d\ude00":3,"\uff61":4,"\n":5}'),
    "integer-like keys": {"10": "a", "9": "b", "1": "c", "-1": "d", "01": "e", "4294967294": "f", "4294967295": "g", " 1": "h"},
    "keys of objects": {"__proto__": {"a": 1}, "constructor": {"prototype": 2}, "toString": 3, "hasOwnProperty": 4, "length": 5},
    "integers": [-1, 0, 1, -42, 9007199254740991, -9007199254740991],
    "minus zero": {"n": Raw("-0")},
    "integers beyond 2^53": {"a": Raw("9007199254740992"), "b": Raw("-9007199254740992")},
    "integers beyond 2^64": {"a": Raw("18446744073709551617"), "b": Raw("-123456789012345678901234567890")},
    "floats": {"a": 1.5, "b": Raw("-0.0"), "c": Raw("1.0"), "d": Raw("0.1"), "e": Raw("3.14159265358979312")},
    "exponents": {"a": Raw("1e3"), "b": Raw("1E21"), "c": Raw("1e-7"), "d": Raw("1e16"), "e": Raw("123456789e-10")},
    "infinite exponent": {"a": Raw("1e400")},
    "lone surrogate": {"body": Raw(r'"\ud800"')},
    "lone surrogate in a key": Raw(r'{"\udc00":1}'),
    "duplicate keys": Raw('{"a":1,"b":2,"a":3}'),
}


def deep(n):
    value = {"end": 1}
    for _ in range(n):
        value = {"a": value}
    return value


CONTENT_CASES["nested 50 deep"] = deep(50)

OLD_SIGNATURE = unpadded(bytes(range(64)))


# Cases for ODD_VERSIONS and for NUMBER_VERSIONS only.
ODD_CASES = {
    "an event id where there is none",
    "kick",
    "join rules",
    "unknown type",
    "age_ts of the event",
    "another hash besides",
    "create without content",
    "depth and time of zero",
    "empty type",
    "guest access",
    "largest depth and time",
    "member without a state key",
    "member without membership",
    "message with a state key",
    "name",
    "no prev_events and no auth_events",
    "outlier and destinations of the event",
    "own __proto__ and constructor of the event",
    "power levels as strings",
    "power levels of minus zero",
    "power levels without content",
    "redaction with a redacts that is no string",
    "redaction without redacts",
    "redacts on a message",
    "signed by another server already",
    "signed by the same server with another key",
    "third party invite of null",
    "third party invite that is no object",
    "third party invite token",
    "third party invite with an empty object",
    "third party invite with signed of null",
    "third party invite without signed",
    "unicode in ids",
    "unsigned",
    *(f"type {t}" for t in ("__proto__", "constructor", "toString", "hasOwnProperty")),
}
NUMBER_CASES = {"power levels that are no integers", "minus zero", "integers", "integers beyond 2^53", "integers beyond 2^64", "floats", "exponents", "infinite exponent"}


def cases_of(v):
    """(name, event) pairs for room version v."""
    out = []
    skipped = set() if v in ODD_VERSIONS else ODD_CASES

    def add(name, type_="m.room.message", content=None, state_key=None, **extra):
        if name in skipped or (name in NUMBER_CASES and v not in NUMBER_VERSIONS):
            return
        out.append((name, pdu(v, f"e{len(out)}", type_, {} if content is None else content, state_key, **extra)))

    create = {"prev_events": [], "auth_events": [], "depth": 1, **({"room_id": ...} if v == "12" else {})}
    create_content = {"room_version": v, **({} if int(v) >= 11 else {"creator": f"@alice:{SERVER}"})}
    add("create", "m.room.create", create_content, "", **create)
    add(
        "create with more content",
        "m.room.create",
        {
            **create_content,
            "m.federate": True,
            "type": "m.space",
            "predecessor": {"room_id": "!old:example.org", "event_id": "$old"},
            "additional_creators": ["@bob:example.net"],
            "unknown": {"a": [1]},
            "__proto__": {"b": 2},
        },
        "",
        **create,
    )
    add("create without content", "m.room.create", {}, "", **create)
    if v == "12":
        add("create with a room id", "m.room.create", create_content, "", **{**create, "room_id": room_id_of(v)})

    def member(name, content, state_key=f"@alice:{SERVER}", **extra):
        add(name, "m.room.member", content, state_key, **extra)

    member("join", {"membership": "join"})
    member("join with a profile", {"membership": "join", "displayname": "Alice é", "avatar_url": "mxc://example.org/a", "is_direct": True, "reason": "hi"})
    member(
        "join authorised by a user of another server",
        {"membership": "join", "join_authorised_via_users_server": "@bob:example.net", "displayname": "A"},
    )
    member("leave", {"membership": "leave", "reason": "bye", "displayname": "A"})
    member("leave with an authoriser", {"membership": "leave", "join_authorised_via_users_server": "@bob:example.net"})
    member("kick", {"membership": "leave", "reason": "spam"}, "@bob:example.net")
    member("ban", {"membership": "ban", "reason": "spam"}, "@bob:example.net")
    member("knock", {"membership": "knock", "reason": "please", "displayname": "A"})
    member("invite", {"membership": "invite", "is_direct": True}, "@bob:example.net", unsigned={"invite_room_state": [], "age": 3})
    signed = {"mxid": "@bob:example.net", "token": "abc", "signatures": {"id.example": {"ed25519:0": OLD_SIGNATURE}}}
    third = {"display_name": "b...@e...", "signed": signed, "extra": 1}
    member("invite by a third party", {"membership": "invite", "third_party_invite": third, "displayname": "b"}, "@bob:example.net")
    member("third party invite without signed", {"membership": "invite", "third_party_invite": {"display_name": "b"}}, "@bob:example.net")
    member("third party invite that is no object", {"membership": "invite", "third_party_invite": "x"}, "@bob:example.net")
    member("third party invite of null", {"membership": "invite", "third_party_invite": None}, "@bob:example.net")
    member("third party invite with signed of null", {"membership": "invite", "third_party_invite": {"signed": None}}, "@bob:example.net")
    member("third party invite with an empty object", {"membership": "invite", "third_party_invite": {}}, "@bob:example.net")
    member("member without membership", {"displayname": "A"})
    member("membership that is no string", {"membership": {"a": [1, None]}, "join_authorised_via_users_server": 5})
    add("member without a state key", "m.room.member", {"membership": "join", "displayname": "A"})

    power = {
        "ban": 50, "events": {"m.room.name": 50, "__proto__": 100, "10": 1, "9": 2}, "events_default": 0, "invite": 10,
        "kick": 50, "notifications": {"room": 20}, "redact": 50, "state_default": 50,
        "users": {"@alice:example.org": 100, "@élise:example.org": -1}, "users_default": 0, "unknown": 1, "historical": 100,
    }
    add("power levels", "m.room.power_levels", power, "")
    add("power levels as strings", "m.room.power_levels", {"ban": " 50", "invite": "1", "users": {"@a:b": "+5"}, "events": None}, "")
    add("power levels that are no integers", "m.room.power_levels", {"ban": 50.5, "kick": Raw("-0.0"), "redact": Raw("1e2"), "users": {"@a:b": Raw("36893488147419103232")}}, "")
    add("power levels of minus zero", "m.room.power_levels", {"ban": Raw("-0")}, "")
    add("power levels without content", "m.room.power_levels", {}, "")

    allow = [{"type": "m.room_membership", "room_id": "!space:example.net", "x": 1}, {"type": "unknown"}]
    add("join rules", "m.room.join_rules", {"join_rule": "public", "unknown": 1}, "")
    add("join rules with allow", "m.room.join_rules", {"join_rule": "restricted", "allow": allow, "unknown": 1}, "")
    add("join rules with an allow that is no list", "m.room.join_rules", {"join_rule": "knock_restricted", "allow": "x"}, "")
    add("history visibility", "m.room.history_visibility", {"history_visibility": "shared", "unknown": 1}, "")
    add("aliases", "m.room.aliases", {"aliases": ["#a:example.org", "#b:example.org"], "unknown": 1}, "example.org")
    add("third party invite token", "m.room.third_party_invite", {"display_name": "b", "public_key": "k", "key_validity_url": "https://id.example"}, "abc")
    add("guest access", "m.room.guest_access", {"guest_access": "can_join"}, "")
    add("name", "m.room.name", {"name": "A room"}, "")

    redacts = fake_id("redacted", v)
    add("redaction", "m.room.redaction", {"reason": "spam"}, redacts=redacts)
    add("redaction with redacts in its content", "m.room.redaction", {"redacts": redacts, "reason": "spam"})
    add("redaction with redacts in both places", "m.room.redaction", {"redacts": fake_id("other", v), "reason": "spam"}, redacts=redacts)
    add("redaction without redacts", "m.room.redaction", {"reason": "spam"})
    add("redaction with a redacts that is no string", "m.room.redaction", {"redacts": {"a": 1}})

    add("message", content={"msgtype": "m.text", "body": "Hello"})
    add("message with a state key", content={"msgtype": "m.text", "body": "Hello"}, state_key="")
    add("unknown type", "org.example.unknown", {"a": 1, "membership": "join"}, "")
    for type_ in ("__proto__", "constructor", "toString", "hasOwnProperty"):
        add(f"type {type_}", type_, {"a": 1, "membership": "join"})
    add("empty type", "", {"a": 1})
    add(
        "unknown keys of the event",
        content={"body": "x"},
        origin="example.org", membership="join", prev_state=[], replaces_state=fake_id("old", v), unknown={"a": 1}, **{"10": 1, "9": 2},
    )
    add("origin, membership and prev_state of other types", content={"body": "x"}, origin={"a": 1}, membership=None, prev_state="x")
    add("redacts on a message", content={"body": "x"}, redacts=redacts)
    add("own __proto__ and constructor of the event", content={"body": "x"}, **{"__proto__": {"sender": "@eve:example.net"}, "constructor": 1})
    add("unsigned", content={"body": "x"}, unsigned={"age": 12, "age_ts": TS, "prev_content": {"a": 1}, "redacted_because": {"b": [None]}})
    add("age_ts of the event", content={"body": "x"}, age_ts=5)
    add("outlier and destinations of the event", content={"body": "x"}, outlier=True, destinations=["example.net"])
    add("signed by another server already", content={"body": "x"}, signatures={"example.net": {"ed25519:x": OLD_SIGNATURE}})
    add("signed by the same server with another key", content={"body": "x"}, signatures={SERVER: {"ed25519:old": OLD_SIGNATURE}})
    add("another hash besides", content={"body": "x"}, hashes={"md5": "abc"})
    add("no prev_events and no auth_events", content={"body": "x"}, prev_events=[], auth_events=[])
    add("largest depth and time", content={"body": "x"}, depth=9007199254740991, origin_server_ts=9007199254740991)
    add("depth and time of zero", content={"body": "x"}, depth=0, origin_server_ts=0)
    add("unicode in ids", content={"body": "x"}, sender="@é\U0001f600:example.org", state_key="\uff61\U0001f600")
    if v not in ("1", "2"):
        add("an event id where there is none", content={"body": "x"}, event_id="$x:example.org")

    for name, content in CONTENT_CASES.items():
        if name not in NUMBER_CASES and v not in CONTENT_VERSIONS:
            continue
        add(name, "org.example.content", {"v": content} if isinstance(content, list) else content)
    if v == "12":
        add("nearly 64 KB", content={"body": "é" * 32300})
    return out


ALREADY_REDACTED = [
    ("message, already redacted", "message"),
    ("join with a profile, already redacted", "join with a profile"),
    ("power levels, already redacted", "power levels"),
]


# --- synapse.json -------------------------------------------------------------------------------


def digest(result):
    assert result[0] == "sha256"
    return unpadded(result[1])


def text_of(name, event):
    """The event's JSON text with the content hash that Synapse computes for it."""
    options = {"separators": (", ", " : ")} if name == "nested" else {}
    if name in ("unicode values", "unicode in ids"):
        options["ensure_ascii"] = True
    hashed = {**event, "hashes": {**event.get("hashes", {}), "sha256": Raw('"@HASH@"')}}
    hashed.setdefault("signatures", {})
    text = to_text(hashed, **options)
    try:
        value = digest(compute_content_hash(json.loads(text), hashlib.sha256))
    except ValueError:
        value = unpadded(bytes(32))
    return text.replace("@HASH@", value)


def is_lossy(value):
    """Whether a number of this value does not survive a reader that has only doubles."""
    if isinstance(value, bool):
        return False
    if isinstance(value, int):
        return abs(value) > 2**53 - 1
    if isinstance(value, float):
        return True
    if isinstance(value, dict):
        return any(map(is_lossy, value.values()))
    return isinstance(value, list) and any(map(is_lossy, value))


def vector_of(name, version, text):
    room_version = KNOWN_ROOM_VERSIONS[version]
    vector = {"name": name, "room_version": version, "event_json": text}
    try:
        event_from_pdu_json(json.loads(text), room_version)
    except Exception as error:
        reason = error.__cause__ or error
        return {**vector, "refused": f"{type(error).__name__}: {getattr(reason, 'msg', None) or reason}"[:160]}
    loaded = json.loads(text)
    event = make_event_from_dict(loaded, room_version)
    content_hash = digest(compute_content_hash(loaded, hashlib.sha256))
    of_event = digest(compute_content_hash(event.get_pdu_json(), hashlib.sha256))
    if of_event != content_hash:
        print("content hash of the parsed event differs:", version, name)
    # Synapse's order of keys is another one each time.
    redacted = json.loads(encode_canonical_json(prune_event(event).get_pdu_json()))
    redacted.pop("unsigned", None)
    vector["content_hash"] = content_hash
    vector["reference_hash"] = digest(compute_event_reference_hash(event))
    vector["event_id"] = event.event_id
    if version == "12" and event.room_id != loaded.get("room_id"):
        vector["room_id"] = event.room_id
    vector["redacted"] = redacted
    if is_lossy(redacted):
        vector["redacted_json"] = encode_canonical_json(redacted).decode()
    signed = json.loads(text)
    add_hashes_and_signatures(room_version, signed, SERVER, signing_key(SERVER))
    key = key_info(SERVER)
    made = {k: signed[k] for k in ("hashes", "signatures")}
    vector["signed"] = {**{k: key[k] for k in ("server_name", "key_id")}, "event": made}
    return vector


def make_synapse():
    vectors = []
    for version in VERSIONS:
        by_name = {}
        for name, event in cases_of(version):
            vector = vector_of(name, version, text_of(name, event))
            by_name[name] = vector
            vectors.append(vector)
        for name, source in ALREADY_REDACTED:
            # The hash of the whole event stays, so it no longer fits the content.
            text = json.dumps(by_name[source]["redacted"], separators=(",", ":"), ensure_ascii=False)
            vectors.append(vector_of(name, version, text))
    write(
        "synapse.json",
        {"made_by": made_by("matrix-synapse", "canonicaljson", "signedjson"), "signing_key": key_info(SERVER), "vectors": vectors},
    )



# --- canonical.json -----------------------------------------------------------------------------

CANONICAL_TEXTS = [
    # Literals, empty values, white space
    "null", "true", "false", "{}", "[]", '""', " { } ", "[ 1 , 2 ]", '\t{"b":\n1,\r"a" : 2}', "[[],{},[[]],[{}]]",
    # Order of keys
    '{"b":1,"a":2}', '{"a":1,"A":2,"_":3,"-":4," ":5,"":6}', '{"10":1,"9":2,"1":3,"-1":4,"01":5,"4294967295":6}', '{"aa":1,"a":2,"a\\u0000":3,"ab":4}',
    '{"\U0001f600":1,"\uff61":2}', '{"\\ud83d\\ude00":1,"\\uff61":2}', '{"\U0001f600":1,"\ufb33":2}', '{"\U00010000":1,"\uffff":2,"\ue000":3,"\ud7ff":4}',
    '{"\u00e9":1,"e\u0301":2,"f":3,"e":4}', '{"\u65e5":1,"\u672c":2}', '{"\\n":1,"\\\"":2,"!":3,"\\u007f":4,"\\u0080":5}',
    '{"__proto__":1,"constructor":2,"toString":3}', '{"a":{"__proto__":{"z":1,"b":2}}}', '{"__proto__":null}', '{"a":1,"a":2}', '{"a":1,"\\u0061":2}', '{"__proto__":1,"__proto__":2}',
    # Strings
    '"\\u0041"', '"\\/"', '"/"', '"\\b\\f\\n\\r\\t"', '"\\u0008\\u000c\\u000a\\u000d\\u0009"', '"\\u0000\\u0001\\u000b\\u000e\\u001f\\u0020"', '"\\u001F\\u001A"',
    '"\\u007f\\u0080\\u009f\\u00a0"', '"\\u2028\\u2029\\ufeff\\ufffe\\uffff"', '"\\ud83d\\ude00"', '"\\uD83D\\uDE00"', '"\U0010ffff"', '"\\\"\\\\"', '"<>&\'"',
    # Numbers
    "0", "-0", "1", "-1", "9007199254740991", "-9007199254740991", "9007199254740992", "-9007199254740992", "9007199254740993", "18446744073709551615",
    "123456789012345678901234567890", "0.0", "-0.0", "1.0", "1.5", "-1.5", "0.1", "1e2", "1E2", "1e+2", "1e-2", "100e-2", "1e15", "1e16", "1e21", "1e22", "1e-4", "1e-5", "1e-7",
    "5e-324", "1.7976931348623157e308", "3.14159265358979312", "0.30000000000000004", "0e5", "-0e0", "1e400", "-1e400", "1e-400", "NaN", "Infinity", "-Infinity", "[NaN]",
    # No UTF-8
    '"\\ud800"', '"\\udc00"', '"\\ude00\\ud83d"', '"a\\ud83d"', '{"\\ud800":1}', '"\\ud83d\\ud83d\\ude00"',
    # No JSON
    "", " ", "nul", "{", "[1,]", '{"a":1,}', "{a:1}", "{'a':1}", "01", "+1", "1.", ".5", "1e", "-", "0x1", '"\t"', '"\n"', '"\x00"', '"\\x41"', '"\\u12"', "1 2", "[1 2]", '"a', "/**/1", "\u00a01", "\ufeff1", "True", "None", "undefined",
    "9" * 4301,
]


def random_texts():
    """Objects with keys of all planes, always the same ones."""
    state = hashlib.sha256(b"canonical")
    alphabet = ["a", "b", "B", "1", "10", "\n", '"', "\\", "\x7f", "é", "\u07ff", "\u0800", "\ud7ff", "\ue000", "\uff61", "\uffff", "\U00010000", "\U0001f600", "\U0010ffff", "__proto__", "\u2028"]

    def number(below):
        nonlocal state
        state = hashlib.sha256(state.digest())
        return int.from_bytes(state.digest()[:4], "big") % below

    def value(depth):
        kind = number(7 if depth > 0 else 4)
        if kind == 0:
            return [None, True, False][number(3)]
        if kind == 1:
            return number(2**32) - 2**31
        if kind in (2, 3):
            return "".join(alphabet[number(len(alphabet))] for _ in range(number(4)))
        if kind == 4:
            return [value(depth - 1) for _ in range(number(4))]
        return {"".join(alphabet[number(len(alphabet))] for _ in range(1 + number(2))): value(depth - 1) for _ in range(number(6))}

    for n in range(40):
        yield json.dumps({str(k): value(3) for k in alphabet[n % 7 :: 7]}, ensure_ascii=n % 2 == 0)


def make_canonical():
    vectors = []
    for text in [*CANONICAL_TEXTS, *random_texts()]:
        vector = {"value_json": text}
        try:
            value = json.loads(text)
            vector["canonical"] = encode_canonical_json(value).decode()
        except ValueError as error:
            vectors.append({**vector, "refused": type(error).__name__})
            continue
        try:
            validate_canonicaljson(value)
        except Exception as error:
            vector["refused_from_room_version_6"] = error.msg
        vectors.append(vector)
    write("canonical.json", {"made_by": made_by("canonicaljson", "matrix-synapse"), "vectors": vectors})


# --- ed25519.json -------------------------------------------------------------------------------

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P


def point_add(a, b):
    x1, y1 = a
    x2, y2 = b
    k = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + k, -1, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - k, -1, P) % P,
    )


def point_times(n, a):
    out = (0, 1)
    while n:
        if n & 1:
            out = point_add(out, a)
        a = point_add(a, a)
        n >>= 1
    return out


def encode_y(y, sign):
    return (y | sign << 255).to_bytes(32, "little")


def encode_point(a):
    return encode_y(a[1], a[0] & 1)


def x_of(y, sign):
    xx = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(xx, (P + 3) // 8, P)
    if x * x % P != xx:
        x = x * pow(2, (P - 1) // 4, P) % P
    if x * x % P != xx:
        return None
    return P - x if x & 1 != sign else x


BASE_Y = 4 * pow(5, -1, P) % P
BASE = (x_of(BASE_Y, 0), BASE_Y)


def torsion_point():
    """A point of order 8."""
    for y in range(2, 100):
        x = x_of(y, 0)
        if x is not None:
            point = point_times(L, (x, y))
            if point_times(4, point) != (0, 1):
                return point


def expand(seed):
    digest_ = hashlib.sha512(seed).digest()
    a = int.from_bytes(digest_[:32], "little")
    return (a & ((1 << 254) - 8)) | 1 << 254


def challenge(r, key, message):
    return int.from_bytes(hashlib.sha512(r + key + message).digest(), "little") % L


def scalar(n):
    return n.to_bytes(32, "little")


def flip(data, bit):
    out = bytearray(data)
    out[bit // 8] ^= 1 << bit % 8
    return bytes(out)


def ed25519_cases():
    """(name, public key, message, signature)"""
    seed = seed_of("ed25519")
    signer = NaclSigningKey(seed)
    key = bytes(signer.verify_key)
    a = expand(seed)
    other = NaclSigningKey(seed_of("another"))
    message = b'{"a":1}'
    good = signer.sign(message).signature
    s = int.from_bytes(good[32:], "little")
    r = int.from_bytes(hashlib.sha512(b"nonce").digest(), "little") % L
    nonce = point_times(r, BASE)
    eight = torsion_point()
    torsion = [point_times(n, eight) for n in range(8)]
    assert [encode_point(t) for t in (BASE, point_times(a, BASE))] == [encode_y(BASE_Y, 0), key]

    for n in range(16):
        text = hashlib.sha512(bytes([n])).digest()[: [0, 1, 2, 31, 32, 33, 63, 64][n % 8]]
        each = NaclSigningKey(seed_of(f"valid {n}"))
        yield f"valid, key {n}, message of {len(text)} bytes", bytes(each.verify_key), text, each.sign(text).signature
    yield "valid, message of 300 bytes", key, b"x" * 300, signer.sign(b"x" * 300).signature

    for bit in range(0, 256, 17):
        yield f"bit {bit} of R flipped", key, message, flip(good, bit)
    for bit in [*range(256, 512, 17), 508, 509, 510]:
        yield f"bit {bit - 256} of S flipped", key, message, flip(good, bit)
    for bit in [*range(0, 256, 23), 255]:
        yield f"bit {bit} of the key flipped", flip(key, bit), message, good
    for bit in range(0, len(message) * 8, 9):
        yield f"bit {bit} of the message flipped", key, flip(message, bit), good

    yield "another message", key, b"another", good
    yield "message cut", key, message[:-1], good
    yield "message longer", key, message + b"\0", good
    yield "empty message instead", key, b"", good
    yield "another key", bytes(other.verify_key), message, good
    yield "R and S exchanged", key, message, good[32:] + good[:32]
    yield "R of another signature", key, message, signer.sign(b"another").signature[:32] + good[32:]
    yield "S of another signature", key, message, good[:32] + signer.sign(b"another").signature[32:]

    for n in (1, 2, 3, 7, 8, 14, 15):
        if s + n * L < 2**256:
            yield f"S + {n}L", key, message, good[:32] + scalar(s + n * L)
    yield "S negated", key, message, good[:32] + scalar(L - s)
    for name, value in (("0", 0), ("1", 1), ("L - 1", L - 1), ("L", L), ("L + 1", L + 1), ("2^252", 2**252), ("2^253 - 1", 2**253 - 1), ("2^256 - 1", 2**256 - 1)):
        yield f"S is {name}", key, message, good[:32] + scalar(value)
    for name, value in (("0", 0), ("L", L)):
        yield f"S is {name} and R the neutral point", key, message, encode_point((0, 1)) + scalar(value)

    def each_small():
        for n, t in enumerate(torsion):
            order = {0: 1, 4: 2, 2: 4, 6: 4}.get(n, 8)
            yield f"order {order} (number {n})", encode_point(t), t
        yield "neutral point with the sign bit", encode_y(1, 1), torsion[0]
        yield "order 2 with the sign bit", encode_y(P - 1, 1), torsion[4]
        yield "neutral point as y = p + 1", encode_y(P + 1, 0), torsion[0]
        yield "neutral point as y = p + 1 with the sign bit", encode_y(P + 1, 1), torsion[0]
        for sign in (0, 1):
            yield f"order 4 as y = p, sign {sign}", encode_y(P, sign), (x_of(0, sign), 0)

    for name, small, point in each_small():
        # sB = R + hA holds where h is a multiple of 8, whatever s is.
        for n in range(1000):
            text = b"A %d" % n
            h = challenge(encode_point(nonce), small, text)
            if h % 8 == 0:
                yield f"A of {name}, the equation holds", small, text, encode_point(nonce) + scalar(r)
                break
        yield f"A of {name}, R the neutral point, S = 0", small, message, encode_point((0, 1)) + scalar(0)
        h = challenge(small, key, message)
        yield f"R of {name}, S = ha", key, message, small + scalar(h * a % L)

    for n in (1, 2, 4):
        order = 8 // n
        mixed = encode_point(point_add(point_times(a, BASE), torsion[n]))
        for holds in (True, False):
            for m in range(1000):
                text = b"mixed %d" % m
                h = challenge(encode_point(nonce), mixed, text)
                if (h % order == 0) == holds:
                    how = "the equation holds" if holds else "only eight times the equation holds"
                    yield f"A with a part of order {order}, {how}", mixed, text, encode_point(nonce) + scalar((r + h * a) % L)
                    break
        mixed_r = encode_point(point_add(nonce, torsion[n]))
        h = challenge(mixed_r, key, message)
        yield f"R with a part of order {order}, only eight times the equation holds", key, message, mixed_r + scalar((r + h * a) % L)
        for m in range(1000):
            text = b"both %d" % m
            h = challenge(mixed_r, mixed, text)
            if point_add(torsion[n], point_times(h % 8, torsion[n])) == (0, 1):
                yield f"A and R with parts of order {order} that cancel", mixed, text, mixed_r + scalar((r + h * a) % L)
                break

    for y in range(2, 19):
        for sign in (0, 1):
            if x_of(y, sign) is not None and (y + sign) % 3 == 0:
                yield f"A not canonical, y = p + {y}, sign {sign}", encode_y(P + y, sign), message, good
                yield f"R not canonical, y = p + {y}, sign {sign}", key, message, encode_y(P + y, sign) + good[32:]
    off = next(y for y in range(2, 100) if x_of(y, 0) is None)
    yield "A not on the curve", encode_y(off, 0), message, good
    yield "R not on the curve", key, message, encode_y(off, 0) + good[32:]
    for name, byte in (("zeros", b"\0"), ("0xff", b"\xff")):
        yield f"key of {name}", byte * 32, message, good
        yield f"signature of {name}", key, message, byte * 64
        yield f"key and signature of {name}", byte * 32, message, byte * 64
        yield f"key and signature of {name}, empty message", byte * 32, b"", byte * 64

    for length in (0, 1, 32, 63, 65, 96, 128):
        yield f"signature of {length} bytes", key, message, (good * 2)[:length]
    yield "signature and one zero", key, message, good + b"\0"
    yield "signature before its message", key, message, good + message
    for length in (0, 1, 31, 33, 64):
        yield f"key of {length} bytes", (key * 2)[:length], message, good
    yield "key and one zero", key + b"\0", message, good
    yield "everything empty", b"", b"", b""


def make_ed25519():
    vectors = []
    for name, key, message, signature in ed25519_cases():
        try:
            VerifyKey(key).verify(message, signature)
            valid = True
        except (BadSignatureError, ValueError):
            valid = False
        vectors.append(
            {"name": name, "public_key": unpadded(key), "message": unpadded(message), "signature": unpadded(signature), "valid": valid}
        )
    write("ed25519.json", {"made_by": made_by("PyNaCl"), "vectors": vectors})


# --- event-signatures.json ----------------------------------------------------------------------

VALID = 4000000000000
KEYS = {
    # server name, key id, valid until
    "example.org": {"ed25519:1": VALID, "ed25519:2": VALID, "ed25519:old": TS - 1, "ed25519:just": TS},
    "example.net": {"ed25519:1": VALID},
    "evil.example": {"ed25519:1": VALID},
}


def key_of(server, key_id):
    return decode_signing_key_base64("ed25519", key_id.split(":")[1], unpadded(seed_of(f"{server} {key_id}")))


class KeyQueue:
    """Answers for the servers that the keyring would ask."""

    async def add_to_queue(self, request, key):
        known = KEYS.get(request.server_name, {})
        return {
            request.server_name: {
                key_id: FetchKeyResult(get_verify_key(key_of(request.server_name, key_id)), known[key_id])
                for key_id in request.key_ids
                if key_id in known
            }
        }


class FixedKeyring(Keyring):
    """Synapse's keyring over KEYS."""

    def __init__(self):
        self._fetch_keys_queue = KeyQueue()
        self._local_verify_keys = {}

    def _is_mine_server_name(self, server_name):
        return False


def signature_cases(v):
    """(name, event) pairs for room version v."""
    room_version = KNOWN_ROOM_VERSIONS[v]
    is_v1 = v in ("1", "2")

    def sign(event, *signers):
        event = copy.deepcopy(event)
        for signer in signers:
            server, _, key_id = signer.partition(" ")
            add_hashes_and_signatures(room_version, event, server, key_of(server, key_id or "ed25519:1"))
        event.setdefault("signatures", {})
        if not signers:
            event["hashes"] = {"sha256": digest(compute_content_hash(event, hashlib.sha256))}
        return event

    def changed(event, **changes):
        return {**copy.deepcopy(event), **changes}

    def signatures(event, change):
        event = copy.deepcopy(event)
        change(event["signatures"])
        return event

    no_edges = {"prev_events": [], "auth_events": []}
    message = pdu(v, "m", "m.room.message", {"body": "x"}, **no_edges)
    join = pdu(v, "j", "m.room.member", {"membership": "join", "join_authorised_via_users_server": "@bob:example.net"}, f"@alice:{SERVER}", **no_edges)
    signed = sign(message, SERVER)
    good = signed["signatures"][SERVER]["ed25519:1"]

    yield "signed by the sender's server", signed
    yield "signed by the sender's server and by another", sign(message, SERVER, "example.net")
    yield "not signed", sign(message)
    yield "signed by another server only", sign(message, "example.net")
    yield "key that was valid until a moment before the event", sign(message, f"{SERVER} ed25519:old")
    yield "key that was valid until the moment of the event", sign(message, f"{SERVER} ed25519:just")
    yield "an outdated key and a valid one", sign(message, f"{SERVER} ed25519:old", SERVER)
    yield "changed content, which a redaction takes away", changed(signed, content={"body": "y"})
    yield "redacted", changed(signed, content={})
    yield "changed unsigned", changed(signed, unsigned={"age": 1})
    yield "join with an authoriser, signed by both", sign(join, SERVER, "example.net")
    yield "join with an authoriser, signed by the sender's server only", sign(join, SERVER)
    yield "join with an authoriser, signed by the authoriser's server only", sign(join, "example.net")
    if is_v1:
        foreign = {**message, "event_id": "$m:example.net"}
        yield "event id of another server, signed by both", sign(foreign, SERVER, "example.net")
        yield "event id of another server, signed by the sender's server only", sign(foreign, SERVER)
        yield "event id of another server, signed by that server only", sign(foreign, "example.net")
        yield "event id without a server", sign({**message, "event_id": "$m"}, SERVER)
    if v == "2":
        return
    if v != "12":
        return
    yield "two valid keys", sign(message, SERVER, f"{SERVER} ed25519:2")
    yield "a valid key and an unknown one", signatures(signed, lambda s: s[SERVER].update({"ed25519:unknown": good}))
    yield "a valid key and a known one with a wrong signature", signatures(signed, lambda s: s[SERVER].update({"ed25519:2": good}))
    yield "an unknown key only", signatures(signed, lambda s: s.update({SERVER: {"ed25519:unknown": good}}))
    yield "another algorithm only", signatures(signed, lambda s: s.update({SERVER: {"rsa:1": good}}))
    yield "no key", signatures(signed, lambda s: s.update({SERVER: {}}))
    yield "signature of another server under the sender's name", signatures(sign(message, "evil.example"), lambda s: s.update({SERVER: s.pop("evil.example")}))
    yield "server name in capitals", signatures(signed, lambda s: s.update({"Example.org": s.pop(SERVER)}))
    yield "signature with one bit flipped", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": ("B" if good[0] == "A" else "A") + good[1:]}))
    yield "signature cut", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": good[:-2]}))
    yield "signature with padding", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": good + "=="}))
    yield "signature in URL-safe base64", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": good.replace("+", "-").replace("/", "_")}))
    yield "empty signature", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": ""}))
    yield "signature that is no string", signatures(signed, lambda s: s[SERVER].update({"ed25519:1": 1}))
    yield "signatures that are no object", changed(signed, signatures=[])
    yield "changed sender", changed(signed, sender=f"@eve:{SERVER}")
    yield "changed sender of another server", changed(signed, sender="@eve:evil.example")
    yield "changed type", changed(signed, type="m.room.name")
    yield "changed hashes", changed(signed, hashes={"sha256": unpadded(bytes(32))})
    yield "no hashes", {k: x for k, x in signed.items() if k != "hashes"}
    yield "sha256 missing in hashes", changed(signed, hashes={"md5": "x"})
    yield "an unknown key of the event added", changed(signed, unknown=1)
    yield "sender without a server", sign({**message, "sender": "alice"}, SERVER)
    leave = changed(join, content={**join["content"], "membership": "leave"})
    yield "leave with an authoriser, signed by the sender's server only", sign(leave, SERVER)
    own = changed(join, content={"membership": "join", "join_authorised_via_users_server": f"@carol:{SERVER}"})
    yield "join with an authoriser of the same server", sign(own, SERVER)
    yield "join with an authoriser that is no string", sign(changed(join, content={"membership": "join", "join_authorised_via_users_server": 1}), SERVER)
    yield "join with an authoriser without a server", sign(changed(join, content={"membership": "join", "join_authorised_via_users_server": "bob"}), SERVER)
    yield "message with an authoriser", sign(changed(message, content=join["content"]), SERVER)
    invite = pdu(v, "i", "m.room.member", {"membership": "invite", "third_party_invite": {"signed": {}}}, "@bob:example.net", **no_edges)
    yield "invite by a third party, signed by another server only", sign(invite, "example.net")
    yield "invite by a third party, not signed", sign(invite)
    yield "join with a third party invite, signed by another server only", sign(changed(invite, content={**invite["content"], "membership": "join"}), "example.net")
    yield "invite with a third party invite of null, signed by another server only", sign(changed(invite, content={"membership": "invite", "third_party_invite": None}), "example.net")
    yield "invite, signed by another server only", sign(changed(invite, content={"membership": "invite"}), "example.net")
    create = pdu(v, "c", "m.room.create", {"room_version": v}, "", **no_edges, depth=1)
    if v == "12":
        del create["room_id"]
    yield "create", sign(create, SERVER)
    yield "create, signed by another server only", sign(create, "example.net")


def make_event_signatures():
    vectors = []
    keyring = FixedKeyring()
    for version in SIGNATURE_VERSIONS:
        room_version = KNOWN_ROOM_VERSIONS[version]
        for name, event_dict in signature_cases(version):
            text = json.dumps(event_dict, separators=(",", ":"), ensure_ascii=False)
            vector = {"name": name, "room_version": version, "event_json": text}
            vectors.append(vector)
            try:
                event = event_from_pdu_json(json.loads(text), room_version)
            except Exception as error:
                vector.update(signatures="refused", why="no event: " + str(error)[:80])
                continue
            try:
                asyncio.run(_check_sigs_on_pdu(keyring, room_version, event))
                vector["signatures"] = "accepted"
            except Exception as error:
                vector.update(signatures="refused", why=str(error)[:120])
            try:
                vector["content_hash"] = "same" if check_event_content_hash(event) else "differs"
            except Exception as error:
                vector["content_hash"] = "refused"
    keys = {
        server: {
            key_id: {"public_key": unpadded(key_of(server, key_id).verify_key.encode()), "valid_until_ts": until}
            for key_id, until in of_server.items()
        }
        for server, of_server in KEYS.items()
    }
    write("event-signatures.json", {"made_by": made_by("matrix-synapse", "signedjson"), "keys": keys, "vectors": vectors})


if __name__ == "__main__":
    make_synapse()
    make_canonical()
    make_ed25519()
    make_event_signatures()
