#!/usr/bin/env python3
"""Computes testdata/vectors/derived.json: exchanges for the rules that no published vector shows.

    python3 testing/vectors/derive.py > testdata/vectors/derived.json

It shares nothing with the Rust code: HMAC and MD5 are Python's, MD4, DES and RC4 are written out
below from their specifications, and all of them are held against published values first.
Section numbers are those of MS-NLMP.
"""

import hashlib
import hmac
import json
import struct

# --- primitives


def md4(data):  # RFC 1320
    def rol(x, n):
        x &= 0xFFFFFFFF
        return (x << n | x >> (32 - n)) & 0xFFFFFFFF

    length = len(data) * 8
    data += b"\x80" + b"\0" * ((55 - len(data)) % 64) + struct.pack("<Q", length)
    state = [0x67452301, 0xEFCDAB89, 0x98BADCFE, 0x10325476]
    rounds = [
        (lambda x, y, z: x & y | ~x & z, 0, list(range(16)), [3, 7, 11, 19]),
        (
            lambda x, y, z: x & y | x & z | y & z,
            0x5A827999,
            [0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15],
            [3, 5, 9, 13],
        ),
        (
            lambda x, y, z: x ^ y ^ z,
            0x6ED9EBA1,
            [0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15],
            [3, 9, 11, 15],
        ),
    ]
    for block in range(0, len(data), 64):
        x = struct.unpack("<16I", data[block : block + 64])
        a, b, c, d = state
        for f, constant, order, shifts in rounds:
            for i, k in enumerate(order):
                a = rol(a + f(b, c, d) + x[k] + constant, shifts[i % 4])
                a, b, c, d = d, a, b, c
        state = [(s + t) & 0xFFFFFFFF for s, t in zip(state, (a, b, c, d))]
    return struct.pack("<4I", *state)


# FIPS 46-3
IP = [58 - 8 * (i % 8) + 2 * (i // 8) if i < 32 else 57 - 8 * (i % 8) + 2 * ((i - 32) // 8) for i in range(64)]
FP = [40, 8, 48, 16, 56, 24, 64, 32, 39, 7, 47, 15, 55, 23, 63, 31, 38, 6, 46, 14, 54, 22, 62, 30,
      37, 5, 45, 13, 53, 21, 61, 29, 36, 4, 44, 12, 52, 20, 60, 28, 35, 3, 43, 11, 51, 19, 59, 27,
      34, 2, 42, 10, 50, 18, 58, 26, 33, 1, 41, 9, 49, 17, 57, 25]
E = [32, 1, 2, 3, 4, 5, 4, 5, 6, 7, 8, 9, 8, 9, 10, 11, 12, 13, 12, 13, 14, 15, 16, 17,
     16, 17, 18, 19, 20, 21, 20, 21, 22, 23, 24, 25, 24, 25, 26, 27, 28, 29, 28, 29, 30, 31, 32, 1]
P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10,
     2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3,
       60, 52, 44, 36, 63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45,
       37, 29, 21, 13, 5, 28, 20, 12, 4]
PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2,
       41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
SHIFTS = [1, 1, 2, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2, 2, 1]
S = [
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
]


# The four rows of each S-box.
S_BOXES = [[[int(digit, 16) for digit in row] for row in box.split()] for box in S]


def des(key7, block):
    """DES with a 56-bit key given as 7 bytes (6)."""
    bits = "".join(f"{byte:08b}" for byte in key7)
    key = "".join(bits[i : i + 7] + "0" for i in range(0, 56, 7))
    pick = lambda table, source: "".join(source[i - 1] for i in table)
    c_d = pick(PC1, key)
    c, d = c_d[:28], c_d[28:]
    subkeys = []
    for shift in SHIFTS:
        c, d = c[shift:] + c[:shift], d[shift:] + d[:shift]
        subkeys.append(pick(PC2, c + d))
    text = pick(IP, "".join(f"{byte:08b}" for byte in block))
    left, right = text[:32], text[32:]
    for subkey in subkeys:
        mixed = [int(a) ^ int(b) for a, b in zip(pick(E, right), subkey)]
        out = ""
        for box in range(8):
            b = mixed[box * 6 : box * 6 + 6]
            out += f"{S_BOXES[box][b[0] * 2 + b[5]][b[1] * 8 + b[2] * 4 + b[3] * 2 + b[4]]:04b}"
        left, right = right, "".join(str(int(a) ^ int(b)) for a, b in zip(left, pick(P, out)))
    final = pick(FP, right + left)
    return bytes(int(final[i : i + 8], 2) for i in range(0, 64, 8))


def desl(key16, block):
    key = key16 + bytes(5)
    return des(key[:7], block) + des(key[7:14], block) + des(key[14:], block)


def rc4(key, data):
    s, j = list(range(256)), 0
    for i in range(256):
        j = (j + s[i] + key[i % len(key)]) % 256
        s[i], s[j] = s[j], s[i]
    i = j = 0
    out = bytearray()
    for byte in data:
        i = (i + 1) % 256
        j = (j + s[i]) % 256
        s[i], s[j] = s[j], s[i]
        out.append(byte ^ s[(s[i] + s[j]) % 256])
    return bytes(out)


md5 = lambda data: hashlib.md5(data).digest()
hmac_md5 = lambda key, data: hmac.new(key, data, hashlib.md5).digest()


def hold_against_published_values():
    assert md4(b"message digest").hex() == "d9130a8164549fe818874806e1c7014b"  # RFC 1320 A.5
    assert md4(utf16("Password")).hex() == "a4f49c406510bdcab6824ee7c30fd852"  # 4.2.2.1.2
    assert lmowf_v1("PASSWORD").hex() == "e52cac67419a9a224a3b108f3fa6cb6d"  # 4.2.2.1.1
    nt_hash = md4(utf16("Password"))
    assert (
        desl(nt_hash, bytes.fromhex("0123456789abcdef")).hex()
        == "67c43011f30298a2ad35ece64f16331c44bdbed927841f94"  # 4.2.2.2.1
    )
    session_base_key = md4(nt_hash)
    assert rc4(session_base_key, b"U" * 16).hex() == "518822b1b3f350c8958682ecbb3e3cb7"  # 4.2.2.2.3
    assert ntowf_v2(nt_hash, "User", "Domain").hex() == "0c868a403bfd7a93a3001ef22ef02e3f"  # 4.2.4.1.1


# --- keys

utf16 = lambda text: text.encode("utf-16-le")


def lmowf_v1(upper):
    """3.3.1; ASCII is enough here."""
    key = upper.encode("ascii").ljust(14, b"\0")
    assert len(key) == 14
    return des(key[:7], b"KGS!@#$%") + des(key[7:], b"KGS!@#$%")


def ntowf_v2(nt_hash, user, domain):
    return hmac_md5(nt_hash, utf16(user.upper() + domain))


SIGN = b"session key to %s signing key magic constant\0"
SEAL = b"session key to %s sealing key magic constant\0"
WAYS = {"client": b"client-to-server", "server": b"server-to-client"}


def session_keys(exported, flags):
    """3.4.5.2, 3.4.5.3; LM_KEY in `flags` only where it counts."""
    keys = {}
    for end, way in WAYS.items():
        if flags & ESS:
            kept = 16 if flags & F128 else 7 if flags & F56 else 5
            keys[f"{end}_sign_key"] = md5(exported + SIGN % way).hex()
            keys[f"{end}_seal_key"] = md5(exported[:kept] + SEAL % way).hex()
        elif flags & (LM_KEY | DATAGRAM):
            weak = exported[:7] + b"\xa0" if flags & F56 else exported[:5] + b"\xe5\x38\xb0"
            keys[f"{end}_seal_key"] = weak.hex()
        else:
            keys[f"{end}_seal_key"] = exported.hex()
    return keys


# --- messages

F56, KEY_EXCH, F128, VERSION = 0x80000000, 0x40000000, 0x20000000, 0x02000000
TARGET_INFO, NON_NT, ESS, TARGET_SERVER = 0x00800000, 0x00400000, 0x00080000, 0x00020000
ALWAYS_SIGN, NTLM, LM_KEY, DATAGRAM = 0x00008000, 0x00000200, 0x00000080, 0x00000040
SEALED, SIGNED, REQUEST_TARGET, UNICODE = 0x20, 0x10, 0x04, 0x01
COMMON = VERSION | ALWAYS_SIGN | NTLM | REQUEST_TARGET | UNICODE
VERSION_BYTES = bytes([10, 0, 0xF4, 0x65, 0, 0, 0, 15])
SERVER_CHALLENGE = bytes.fromhex("1122334455667788")
CLIENT_CHALLENGE = bytes.fromhex("8899aabbccddeeff")
RANDOM_SESSION_KEY = bytes.fromhex("00112233445566778899aabbccddeeff")
TIME = struct.pack("<Q", 134_000_000_000_000_000)


def descriptor(item, offset):
    return struct.pack("<HHI", len(item), len(item), offset)


def negotiate(flags):
    return b"NTLMSSP\0" + struct.pack("<II", 1, flags) + bytes(16) + VERSION_BYTES


def av(ident, value):
    return struct.pack("<HH", ident, len(value)) + value


def challenge(flags, pairs):
    name, info = utf16("SERVER"), pairs + av(0, b"")
    return (
        b"NTLMSSP\0" + struct.pack("<I", 2) + descriptor(name, 56)
        + struct.pack("<I", flags | TARGET_INFO | TARGET_SERVER) + SERVER_CHALLENGE + bytes(8)
        + descriptor(info, 56 + len(name)) + VERSION_BYTES + name + info
    )


def authenticate(flags, user, domain, lm, nt, session_key=b"", mic=bytes(16)):
    items = [utf16(domain), utf16(user), utf16("CLIENT"), lm, nt, session_key]
    offsets = [88 + sum(len(item) for item in items[:i]) for i in range(6)]
    place = [descriptor(item, offset) for item, offset in zip(items, offsets)]
    return (
        b"NTLMSSP\0" + struct.pack("<I", 3) + place[3] + place[4] + place[0] + place[1] + place[2]
        + place[5] + struct.pack("<I", flags) + VERSION_BYTES + mic + b"".join(items)
    )


NAMES = av(2, utf16("SERVER")) + av(1, utf16("SERVER"))


def v2(nt_hash, user, domain, pairs):
    """3.3.2: the key, NTProofStr and the NT response."""
    key = ntowf_v2(nt_hash, user, domain)
    temp = b"\1\1" + bytes(6) + TIME + CLIENT_CHALLENGE + bytes(4) + pairs + av(0, b"") + bytes(4)
    proof = hmac_md5(key, SERVER_CHALLENGE + temp)
    return key, proof, proof + temp


VECTORS = []


def exchange(ident, section, flags, messages, password, expected, note, **more):
    keys = dict(expected)
    exported = bytes.fromhex(keys["exported_session_key"])
    keys.update(session_keys(exported, more.pop("key_flags", flags)))
    inputs = {name: message.hex() for name, message in messages.items()}
    inputs["password"] = password
    inputs.update(more)
    VECTORS.append({
        "id": ident, "op": "exchange", "source": "testing/vectors/derive.py", "section": section,
        "basis": "derived", "inputs": inputs, "expected": keys, "verified": False,
        "verification": "computed by a second implementation", "note": note,
    })


def main():
    hold_against_published_values()
    user, password = "alice", "Wonder-Land1"
    nt_hash = md4(utf16(password))

    # LMv2 alone: no NT response. SessionBaseKey as for NTLMv2, over the LMv2 response.
    flags = COMMON | ESS | F128 | F56 | KEY_EXCH | SIGNED
    key = ntowf_v2(nt_hash, user, "EXAMPLE")
    lm = hmac_md5(key, SERVER_CHALLENGE + CLIENT_CHALLENGE) + CLIENT_CHALLENGE
    base = hmac_md5(key, lm[:16])
    exchange(
        "own-lmv2-only", "3.2.5.1.2, 3.3.2", flags,
        {
            "negotiate": negotiate(flags),
            "challenge": challenge(flags, NAMES),
            "authenticate": authenticate(
                flags, user, "EXAMPLE", lm, b"", rc4(base, RANDOM_SESSION_KEY)
            ),
        },
        password,
        {
            "kind": "lmv2_only", "nil_domain_retry": False, "response_key_nt": key.hex(),
            "session_base_key": base.hex(), "key_exchange_key": base.hex(),
            "exported_session_key": RANDOM_SESSION_KEY.hex(),
            "domain_controller_challenge": SERVER_CHALLENGE.hex(),
        },
        "An LMv2 response and nothing else.",
    )

    # NTLMv2 computed with an empty domain though one is sent, as Windows XP does.
    for ident, also_lmv2 in [("own-nil-domain", False), ("own-nil-domain-lmv2-only", True)]:
        key, proof, nt = v2(nt_hash, user, "", NAMES)
        lm = hmac_md5(key, SERVER_CHALLENGE + CLIENT_CHALLENGE) + CLIENT_CHALLENGE
        base = hmac_md5(key, lm[:16] if also_lmv2 else proof)
        flags = COMMON | ESS | F128 | SIGNED | SEALED
        expected = {
            "kind": "lmv2_only" if also_lmv2 else "ntlmv2", "nil_domain_retry": True,
            "response_key_nt": key.hex(), "session_base_key": base.hex(),
            "key_exchange_key": base.hex(), "exported_session_key": base.hex(),
        }
        if not also_lmv2:
            expected["lm_response_valid"] = True
        exchange(
            ident, "3.2.5.1.2", flags,
            {
                "negotiate": negotiate(flags),
                "challenge": challenge(flags, NAMES),
                "authenticate": authenticate(
                    flags, user, "EXAMPLE", lm, b"" if also_lmv2 else nt
                ),
            },
            password, expected,
            "UserDom is NIL in NTOWFv2, and EXAMPLE in the message.",
        )

    # LM_KEY and NON_NT asked for, but the password is too long for an LM hash.
    long = "fifteen letters"
    long_hash = md4(utf16(long))
    for ident, asked in [("lmkey", LM_KEY), ("nonnt", NON_NT), ("lmkey-56", LM_KEY | F56)]:
        flags = COMMON | asked | SIGNED | SEALED
        nt = desl(long_hash, SERVER_CHALLENGE)
        base = md4(long_hash)
        exchange(
            f"own-no-lm-hash-{ident}", "3.4.5.1, 3.4.5.3", flags,
            {
                "negotiate": negotiate(flags),
                "challenge": challenge(flags, NAMES),
                "authenticate": authenticate(flags, user, "EXAMPLE", nt, nt),
            },
            long,
            {
                "kind": "ntlmv1", "lm_response_valid": True, "response_key_nt": long_hash.hex(),
                "session_base_key": base.hex(), "key_exchange_key": base.hex(),
                "exported_session_key": base.hex(),
            },
            "Without an LM hash, LM_KEY and NON_NT_SESSION_KEY count as not negotiated. MS-NLMP "
            "does not say so; Samba does it.",
            key_flags=flags & ~LM_KEY,
        )
    VECTORS.append({
        "id": "own-lmowf-unavailable", "op": "lmowfv1", "source": "testing/vectors/derive.py",
        "section": "3.3.1", "basis": "derived", "inputs": {"password": long},
        "expected": {"hash": None}, "verified": False,
        "verification": "transcribed rule, nothing to recompute",
        "note": "A password of more than 14 characters has no LM hash; it is not cut.",
    })

    # Guest: the response is not checked, every key is that of anonymous.
    flags = COMMON | ESS | F128 | KEY_EXCH | SIGNED
    _, _, nt = v2(nt_hash, "nobody", "EXAMPLE", NAMES)
    exchange(
        "own-guest", "3.2.5.1.2", flags,
        {
            "negotiate": negotiate(flags),
            "challenge": challenge(flags, NAMES),
            "authenticate": authenticate(
                flags, "nobody", "EXAMPLE", bytes(24), nt, rc4(bytes(16), RANDOM_SESSION_KEY)
            ),
        },
        password,
        {
            "kind": "guest", "session_base_key": bytes(16).hex(),
            "key_exchange_key": bytes(16).hex(),
            "exported_session_key": RANDOM_SESSION_KEY.hex(),
        },
        "SessionBaseKey and KeyExchangeKey are zero, whatever the client computed.",
        **{"as": "guest"},
    )

    # Connectionless, with a MIC over CHALLENGE and AUTHENTICATE.
    flags = COMMON | DATAGRAM | ESS | F128 | KEY_EXCH | SIGNED | SEALED
    timed = NAMES + av(7, TIME)
    key, proof, nt = v2(nt_hash, user, "EXAMPLE", timed + av(6, struct.pack("<I", 2)))
    base = hmac_md5(key, proof)
    parts = (flags, user, "EXAMPLE", b"", nt, rc4(base, RANDOM_SESSION_KEY))
    offer = challenge(flags, timed)
    mic = hmac_md5(RANDOM_SESSION_KEY, offer + authenticate(*parts))
    exchange(
        "own-connectionless-mic", "3.1.5.2.1", flags,
        {"challenge": offer, "authenticate": authenticate(*parts, mic=mic)},
        password,
        {
            "kind": "ntlmv2", "nil_domain_retry": False, "response_key_nt": key.hex(),
            "session_base_key": base.hex(), "key_exchange_key": base.hex(),
            "exported_session_key": RANDOM_SESSION_KEY.hex(), "mic": mic.hex(), "mic_valid": True,
        },
        "MIC = HMAC_MD5(ExportedSessionKey, CHALLENGE || AUTHENTICATE); the other readings of "
        "3.2.5.2.2 are not followed. No other implementation confirms it.",
    )

    print(json.dumps({
        "title": "Exchanges for the rules that no published vector shows",
        "conventions": "as nlmp.json; an exchange \"as\": \"guest\" is one whose response the "
        "server did not check",
        "vectors": VECTORS,
    }, indent=1))


if __name__ == "__main__":
    main()
