//! The MIC over the messages of an exchange (MS-NLMP 3.1.5.1.2, 3.1.5.2.1).

use super::ExportedSessionKey;
use super::doc::{Input, KeyName, RuleDoc};
use crate::crypto::hmac_md5;

/// Computes the MIC: HMAC-MD5 under ExportedSessionKey over the messages exactly as sent, the
/// 16 bytes at `mic_range` of AUTHENTICATE taken as zero.
///
/// `negotiate` is `None` in the connectionless mode, which has no NEGOTIATE_MESSAGE. An
/// AUTHENTICATE too short for the range is taken as it is.
#[must_use]
pub fn mic(
    exported_session_key: &ExportedSessionKey,
    negotiate: Option<&[u8]>,
    challenge: &[u8],
    authenticate: &[u8],
    mic_range: core::ops::Range<usize>,
) -> [u8; 16] {
    const ZEROS: [u8; 16] = [0; 16];
    let before = authenticate.get(..mic_range.start).unwrap_or(authenticate);
    let after = authenticate.get(mic_range.end..);
    let zeros: &[u8] = if after.is_some() { &ZEROS } else { &[] };
    hmac_md5(
        exported_session_key.expose(),
        &[negotiate.unwrap_or_default(), challenge, before, zeros, after.unwrap_or_default()],
    )
}

/// What the MIC covers, if there is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MicRule {
    /// NEGOTIATE, CHALLENGE and AUTHENTICATE.
    ThreeMessages,
    /// CHALLENGE and AUTHENTICATE.
    Connectionless,
    /// None is announced.
    NotAnnounced,
}

impl MicRule {
    /// Every rule.
    pub const ALL: [Self; 3] = [Self::ThreeMessages, Self::Connectionless, Self::NotAnnounced];

    /// The rule, from what MsvAvFlags inside the NTLMv2 response says, and the mode.
    #[must_use]
    pub const fn choose(announced: bool, connectionless: bool) -> Self {
        match (announced, connectionless) {
            (false, _) => Self::NotAnnounced,
            (true, true) => Self::Connectionless,
            (true, false) => Self::ThreeMessages,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        const EXPORTED: &[Input] = &[Input::Key(KeyName::ExportedSessionKey)];
        match self {
            Self::ThreeMessages => RuleDoc {
                name: "ThreeMessages",
                condition: "NTLMv2 whose MsvAvFlags has bit 0x2",
                formula: "HMAC_MD5(ExportedSessionKey, NEGOTIATE || CHALLENGE || AUTHENTICATE), \
                          bytes 72..87 of AUTHENTICATE taken as zero",
                inputs: EXPORTED,
                length: 16,
                section: "MS-NLMP 3.1.5.1.2, 3.2.5.1.2",
                computed_by: "client and server",
                beware: Some(
                    "The messages as sent, without SPNEGO around them. It stands at offset 72 \
                     whether or not VERSION was negotiated; bytes there that are not announced \
                     are no MIC.",
                ),
            },
            Self::Connectionless => RuleDoc {
                name: "Connectionless",
                condition: "the same, with DATAGRAM",
                formula: "HMAC_MD5(ExportedSessionKey, CHALLENGE || AUTHENTICATE), bytes 72..87 \
                          of AUTHENTICATE taken as zero",
                inputs: EXPORTED,
                length: 16,
                section: "MS-NLMP 3.1.5.2.1",
                computed_by: "client and server",
                beware: Some(
                    "MS-NLMP 3.2.5.2.2 says ResponseKeyNT once, and once adds a NEGOTIATE that \
                     does not exist; 3.1.5.2.1 is the one to follow.",
                ),
            },
            Self::NotAnnounced => RuleDoc {
                name: "NotAnnounced",
                condition: "any other version, or MsvAvFlags without bit 0x2",
                formula: "none",
                inputs: &[],
                length: 0,
                section: "MS-NLMP 3.1.5.1.2",
                computed_by: "nobody",
                beware: None,
            },
        }
    }
}
