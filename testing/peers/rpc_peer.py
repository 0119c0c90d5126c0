#!/usr/bin/env python3
"""DCE/RPC fragments protected and opened by impacket's functions.

One request per line on standard input, one reply per line on standard output, binary
values in hex:

  ntlm FLAGS KEY LEVEL NUMBER       -> ok    a security context: ExportedSessionKey, auth_level,
                                             the first sequence number
  netlogon aes|rc4 KEY LEVEL whole|body -> ok   or that of a secure channel; what is signed
  protect client|server FRAGMENT    -> ok FRAGMENT   what that end sends
  open client|server FRAGMENT       -> ok FRAGMENT   what that end has sent, verified

Anything that fails answers "err KIND: text". A fragment to be protected has room for its
signature. End of input ends the program.

impacket's functions sign and seal what a client sends. Whether headers are signed, the direction
bit in Netlogon's sequence number (MS-NRPC 3.3.4.2), and the comparison of signatures are ours,
everything else is impacket's.
"""
import os
import struct
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from Cryptodome.Cipher import ARC4  # noqa: E402
from impacket import ntlm  # noqa: E402
from impacket.dcerpc.v5 import nrpc  # noqa: E402
from impacket.dcerpc.v5.rpcrt import (  # noqa: E402
    MSRPC_REQUEST,
    RPC_C_AUTHN_LEVEL_PKT_PRIVACY,
    SEC_TRAILER,
    MSRPCRequestHeader,
    MSRPCRespHeader,
)


class Refused(Exception):
    pass


class Fragment:
    """A fragment as impacket takes it apart."""

    def __init__(self, data):
        kind = MSRPCRequestHeader if data[2] == MSRPC_REQUEST else MSRPCRespHeader
        self.packet = kind(data)
        self.trailer = SEC_TRAILER(self.packet["sec_trailer"])
        if self.packet.get_packet() != data:
            raise Refused("impacket writes another fragment than it read")

    @property
    def body(self):
        """Stub and padding."""
        return self.packet["pduData"]

    @body.setter
    def body(self, data):
        self.packet["pduData"] = data

    @property
    def token(self):
        return self.packet["auth_data"]

    @token.setter
    def token(self, data):
        if len(data) != len(self.token):
            raise Refused("the signature has %d bytes" % len(data))
        self.packet["auth_data"] = data

    def signed(self):
        """All but the signature."""
        data = self.packet.get_packet()
        return data[:-len(self.token)]

    def bytes(self):
        return self.packet.get_packet()


class Ntlm:
    """NTLM's session security; each end has its own number, and with ESS its own stream."""

    def __init__(self, flags, key, level, number):
        self.flags, self.sealed = flags, level == RPC_C_AUTHN_LEVEL_PKT_PRIVACY
        self.ess = bool(flags & ntlm.NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY)
        self.keys, self.handles, self.numbers = {}, {}, {}
        # As in impacket's RPC client: its SEALKEY cuts the key where nobody asked for that.
        shared = ARC4.new(key).encrypt
        for end in ("client", "server"):
            mode = end.capitalize()
            self.keys[end] = ntlm.SIGNKEY(flags, key, mode)
            self.handles[end] = (
                ARC4.new(ntlm.SEALKEY(flags, key, mode)).encrypt if self.ess else shared)
            self.numbers[end] = number

    def number(self, end):
        """Without ESS both directions count together."""
        counter = end if self.ess else "client"
        number = self.numbers[counter]
        self.numbers[counter] += 1
        return number

    def signature(self, end, fragment):
        message = fragment.signed() if self.ess else fragment.body
        return ntlm.SIGN(self.flags, self.keys[end], message, self.number(end),
                         self.handles[end]).getData()

    def protect(self, end, fragment):
        if self.sealed:
            message = fragment.signed() if self.ess else fragment.body
            body, signature = ntlm.SEAL(self.flags, self.keys[end], None, message, fragment.body,
                                        self.number(end), self.handles[end])
            fragment.body, fragment.token = body, signature.getData()
        else:
            fragment.token = self.signature(end, fragment)

    def open(self, end, fragment):
        if self.sealed:
            fragment.body = self.handles[end](fragment.body)
        expected, received = self.signature(end, fragment), fragment.token
        if not self.ess:  # RandomPad may be anything.
            expected, received = [token[:4] + token[8:] for token in (expected, received)]
        if expected != received:
            raise Refused("signature: %s" % expected.hex())


def sequence_of(end, number):
    """impacket's deriveSequenceNumber is that of the client."""
    sequence = bytearray(nrpc_sequence(number))
    if end == "server":
        sequence[4] &= 0x7F
    return bytes(sequence)


nrpc_sequence = nrpc.deriveSequenceNumber


class Netlogon:
    """A secure channel; both ends count together."""

    CONFOUNDER = bytes.fromhex("0123456789abcdef")

    def __init__(self, algorithms, key, level, whole):
        self.aes = {"aes": True, "rc4": False}[algorithms]
        self.whole = {"whole": True, "body": False}[whole]
        self.key, self.number = key, 0
        self.sealed = level == RPC_C_AUTHN_LEVEL_PKT_PRIVACY

    def signature(self, fragment, confounder):
        message = fragment.signed() if self.whole else fragment.body
        return nrpc.SIGN(message, confounder, self.number, self.key, self.aes)

    def turn(self, end):
        nrpc.deriveSequenceNumber = lambda number: sequence_of(end, number)

    def protect(self, end, fragment):
        self.turn(end)
        if self.sealed:
            signature = self.signature(fragment, self.CONFOUNDER)
            body, sealed = nrpc.SEAL(fragment.body, self.CONFOUNDER, self.number, self.key, self.aes)
            if not self.whole and sealed["Checksum"] != signature["Checksum"]:
                raise Refused("impacket signs something else")
            signature["Confounder"] = sealed["Confounder"]
            fragment.body = body
            token = signature.getData()
        else:
            token = self.signature(fragment, b"").getData()
        # impacket leaves the confounder out where nothing is sealed.
        fragment.token = token.ljust(len(fragment.token), b"\0")
        self.number += 1

    def open(self, end, fragment):
        self.turn(end)
        token, confounder = fragment.token, b""
        if self.sealed:
            fragment.body, confounder = nrpc.UNSEAL(fragment.body, token[:32], self.key, self.aes)
        expected = self.signature(fragment, confounder).getData()
        # Up to the confounder, which is encrypted.
        if expected[:24] != token[:24]:
            raise Refused("signature: %s" % expected.hex())
        self.number += 1


def make(words):
    if words[0] == "ntlm":
        return Ntlm(int(words[1], 16), bytes.fromhex(words[2]), int(words[3]), int(words[4]))
    return Netlogon(words[1], bytes.fromhex(words[2]), int(words[3]), words[4])


def main():
    context = None
    for line in sys.stdin:
        words = line.split()
        try:
            if words[0] in ("ntlm", "netlogon"):
                context = make(words)
                reply = "ok"
            else:
                fragment = Fragment(bytes.fromhex(words[2]))
                {"protect": context.protect, "open": context.open}[words[0]](words[1], fragment)
                reply = "ok " + fragment.bytes().hex()
        except (Refused, KeyError, IndexError, ValueError, TypeError, struct.error) as error:
            reply = "err %s: %s" % (type(error).__name__, error)
        print(reply, flush=True)


if __name__ == "__main__":
    main()
