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
from nacl.bindings import crypto_sign_open
from nacl.signing import SigningKey as NaclSigningKey
from signedjson.key import decode_signing_key_base64, decode_verify_key_bytes
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
ODD_VERSIONS = ["1", "6", "10", "11", "12"]
NUMBER_VERSIONS = ["1", "5", "6", "12"]
CONTENT_VERSIONS = ["1", "6", "12"]
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
    """One line for each vector, so that a change shows as a change of its lines."""
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
    "encryption",
    "guest access",
    "join rules with an allow that is no list",
    "largest depth and time",
    "member without a state key",
    "member without membership",
    "membership that is no string",
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
    "server acl",
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
    add("server acl", "m.room.server_acl", {"allow": ["*"], "deny": ["evil.example"], "allow_ip_literals": False}, "")
    add("encryption", "m.room.encryption", {"algorithm": "m.megolm.v1.aes-sha2"}, "")
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


if __name__ == "__main__":
    make_synapse()
