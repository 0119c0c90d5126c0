//! SEALKEY (MS-NLMP 3.4.5.3).

use super::ExportedSessionKey;
use super::doc::{Direction, Input, KeyName, RuleDoc};
use crate::crypto::md5;
use crate::flags::NegotiateFlags;
use core::fmt;
use zeroize::Zeroize;

/// `ClientSealingKey` or `ServerSealingKey` (MS-NLMP 3.4.5.3): 16 bytes, or 8 for LM_KEY and
/// datagrams without ESS.
pub struct SealingKey {
    bytes: [u8; 16],
    length: usize,
}

impl SealingKey {
    /// A key of 16 bytes.
    #[must_use]
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self { bytes, length: 16 }
    }

    /// A key of 8 bytes.
    #[must_use]
    pub const fn new_8(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, e, f, g, h] = bytes;
        Self { bytes: [a, b, c, d, e, f, g, h, 0, 0, 0, 0, 0, 0, 0, 0], length: 8 }
    }

    /// The key, 8 or 16 bytes.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or(&self.bytes)
    }
}

impl Drop for SealingKey {
    fn drop(&mut self) {
        self.bytes.zeroize();
    }
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealingKey(..)")
    }
}

/// Derives `SEALKEY`, 16 or 8 bytes (MS-NLMP 3.4.5.3).
#[must_use]
pub fn sealkey(
    rule: SealingKeyRule,
    exported_session_key: &ExportedSessionKey,
    direction: Direction,
) -> SealingKey {
    let key = exported_session_key.expose();
    let [a, b, c, d, e, f, g, ..] = *key;
    let constant: &[u8] = match direction {
        Direction::ClientToServer => CLIENT_SEAL,
        Direction::ServerToClient => SERVER_SEAL,
    };
    match rule {
        SealingKeyRule::Ess128 => SealingKey::new(md5(&[key, constant])),
        SealingKeyRule::Ess56 => SealingKey::new(md5(&[&[a, b, c, d, e, f, g], constant])),
        SealingKeyRule::Ess40 => SealingKey::new(md5(&[&[a, b, c, d, e], constant])),
        SealingKeyRule::LmKey56 | SealingKeyRule::Datagram56 => {
            SealingKey::new_8([a, b, c, d, e, f, g, 0xa0])
        }
        SealingKeyRule::LmKey40 | SealingKeyRule::Datagram40 => {
            SealingKey::new_8([a, b, c, d, e, 0xe5, 0x38, 0xb0])
        }
        SealingKeyRule::Whole => SealingKey::new(*key),
    }
}

// The terminating zero is part of the constant.
const CLIENT_SEAL: &[u8] = b"session key to client-to-server sealing key magic constant\0";
const SERVER_SEAL: &[u8] = b"session key to server-to-client sealing key magic constant\0";

/// Which branch of SEALKEY applies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SealingKeyRule {
    /// ESS with 128 bits.
    Ess128,
    /// ESS with 56 bits.
    Ess56,
    /// ESS with 40 bits.
    Ess40,
    /// LM_KEY with 56 bits.
    LmKey56,
    /// LM_KEY with 40 bits.
    LmKey40,
    /// Datagrams without ESS, 56 bits.
    Datagram56,
    /// Datagrams without ESS, 40 bits.
    Datagram40,
    /// None of these: ExportedSessionKey itself.
    Whole,
}

impl SealingKeyRule {
    /// Every rule.
    pub const ALL: [Self; 8] = [
        Self::Ess128,
        Self::Ess56,
        Self::Ess40,
        Self::LmKey56,
        Self::LmKey40,
        Self::Datagram56,
        Self::Datagram40,
        Self::Whole,
    ];

    /// The rule for the negotiated flags.
    #[must_use]
    pub const fn choose(flags: NegotiateFlags) -> Self {
        let ess = flags.contains(NegotiateFlags::NEGOTIATE_EXTENDED_SESSIONSECURITY);
        let lm_key = flags.contains(NegotiateFlags::NEGOTIATE_LM_KEY);
        let datagram = flags.contains(NegotiateFlags::NEGOTIATE_DATAGRAM);
        let bits_128 = flags.contains(NegotiateFlags::NEGOTIATE_128);
        let bits_56 = flags.contains(NegotiateFlags::NEGOTIATE_56);
        match (ess, lm_key, datagram) {
            (true, _, _) if bits_128 => Self::Ess128,
            (true, _, _) if bits_56 => Self::Ess56,
            (true, _, _) => Self::Ess40,
            (false, true, _) if bits_56 => Self::LmKey56,
            (false, true, _) => Self::LmKey40,
            (false, false, true) if bits_56 => Self::Datagram56,
            (false, false, true) => Self::Datagram40,
            (false, false, false) => Self::Whole,
        }
    }

    /// How many bits of ExportedSessionKey go into the key.
    #[must_use]
    pub const fn strength_bits(self) -> u8 {
        match self {
            Self::Ess128 | Self::Whole => 128,
            Self::Ess56 | Self::LmKey56 | Self::Datagram56 => 56,
            Self::Ess40 | Self::LmKey40 | Self::Datagram40 => 40,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self, direction: Direction) -> RuleDoc {
        const EXPORTED: &[Input] = &[Input::Key(KeyName::ExportedSessionKey)];
        const CLIENT: &[Input] = &[
            Input::Key(KeyName::ExportedSessionKey),
            Input::Constant("client-to-server sealing constant"),
        ];
        const SERVER: &[Input] = &[
            Input::Key(KeyName::ExportedSessionKey),
            Input::Constant("server-to-client sealing constant"),
        ];
        const ONE_STREAM: &str = "One key, one RC4 stream and one counter for both directions.";
        let to_server = matches!(direction, Direction::ClientToServer);
        let (name, condition, formula, inputs, length, beware) = match self {
            Self::Ess128 => (
                "Ess128",
                "ESS, 128",
                if to_server {
                    "MD5(ExportedSessionKey || \"session key to client-to-server sealing key \
                     magic constant\\0\")"
                } else {
                    "MD5(ExportedSessionKey || \"session key to server-to-client sealing key \
                     magic constant\\0\")"
                },
                if to_server { CLIENT } else { SERVER },
                16,
                "128 wins over 56 where both are negotiated.",
            ),
            Self::Ess56 => (
                "Ess56",
                "ESS, 56 without 128",
                if to_server {
                    "MD5(ExportedSessionKey[0..6] || \"session key to client-to-server sealing \
                     key magic constant\\0\")"
                } else {
                    "MD5(ExportedSessionKey[0..6] || \"session key to server-to-client sealing \
                     key magic constant\\0\")"
                },
                if to_server { CLIENT } else { SERVER },
                16,
                "The key is 16 bytes long, but only 56 bits of it are secret.",
            ),
            Self::Ess40 => (
                "Ess40",
                "ESS, neither 128 nor 56",
                if to_server {
                    "MD5(ExportedSessionKey[0..4] || \"session key to client-to-server sealing \
                     key magic constant\\0\")"
                } else {
                    "MD5(ExportedSessionKey[0..4] || \"session key to server-to-client sealing \
                     key magic constant\\0\")"
                },
                if to_server { CLIENT } else { SERVER },
                16,
                "The key is 16 bytes long, but only 40 bits of it are secret.",
            ),
            Self::LmKey56 => (
                "LmKey56",
                "no ESS, LM_KEY, 56",
                "ExportedSessionKey[0..6] || A0",
                EXPORTED,
                8,
                ONE_STREAM,
            ),
            Self::LmKey40 => (
                "LmKey40",
                "no ESS, LM_KEY, no 56",
                "ExportedSessionKey[0..4] || E5 38 B0",
                EXPORTED,
                8,
                "128 does not count here. One key, one RC4 stream and one counter for both \
                 directions.",
            ),
            Self::Datagram56 => (
                "Datagram56",
                "no ESS, no LM_KEY, DATAGRAM, 56",
                "ExportedSessionKey[0..6] || A0",
                EXPORTED,
                8,
                "The specification also asks for NTLM revision 0x0F or later, which is always so.",
            ),
            Self::Datagram40 => (
                "Datagram40",
                "no ESS, no LM_KEY, DATAGRAM, no 56",
                "ExportedSessionKey[0..4] || E5 38 B0",
                EXPORTED,
                8,
                "128 does not count here.",
            ),
            Self::Whole => (
                "Whole",
                "no ESS, no LM_KEY, no DATAGRAM",
                "ExportedSessionKey",
                EXPORTED,
                16,
                ONE_STREAM,
            ),
        };
        RuleDoc {
            name,
            condition,
            formula,
            inputs,
            length,
            section: "MS-NLMP 3.4.5.3",
            computed_by: "client and server",
            beware: Some(beware),
        }
    }
}
