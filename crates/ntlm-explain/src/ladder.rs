//! The ladder as a document: each key with its rule, its formula, and where its inputs came from.
//! It begins with the keys of NTLM; those of the protocol that spends them follow.

use crate::carrier::BareExchange;
use ntlm::keys::{Input, KeyName, KeySchedule, MessageField, Ntowfv1, Step, StepValue};
use ntlm::wire::{Fields, Span};
use ntlm_netlogon::keys::{Algorithms, SessionKey};
use ntlm_smb::keys as smb;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::fmt::{self, Write};
use zeroize::Zeroizing;

/// All keys of an exchange in the order of derivation.
#[derive(Debug)]
pub struct Ladder {
    rungs: Vec<Rung>,
    is_redacted: bool,
}

/// One key.
#[derive(Debug)]
pub struct Rung {
    /// The name as the specification spells it.
    pub name: &'static str,
    /// The name in JSON.
    pub json_name: &'static str,
    /// Which part of the ladder it belongs to.
    pub part: Part,
    /// The rule that chose its formula. `None` where not even that is known.
    pub rule: Option<RungRule>,
    /// What went in.
    pub inputs: Vec<RungInput>,
    /// What came out.
    pub value: RungValue,
}

/// The parts of the ladder, from the top.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Part {
    /// What the password comes to.
    Secret,
    /// What proves that it is known.
    Response,
    /// What both ends share then.
    Session,
    /// What signs and seals by NTLM's own means.
    Protection,
    /// What SMB makes of ExportedSessionKey.
    Smb,
    /// What a secure channel is protected with.
    Netlogon,
}

/// The rule that chose a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RungRule {
    /// Its name, as in the reference table.
    pub name: &'static str,
    /// When it applies.
    pub condition: &'static str,
    /// What is computed.
    pub formula: &'static str,
    /// Where it is specified.
    pub section: &'static str,
}

/// What a key came to.
#[derive(Debug)]
pub enum RungValue {
    /// The key.
    Known(KeyHex),
    /// The rule leaves it empty.
    Empty,
    /// It cannot be known, and why.
    Unknown(String),
}

/// A key in lower-case hex, or a mask of the same length. Wiped on drop, and silent in `Debug`.
pub struct KeyHex(Zeroizing<String>);

impl KeyHex {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Zeroizing::new(hex(key)))
    }

    /// The same length, and nothing else.
    pub(crate) fn masked(&self) -> Self {
        Self(Zeroizing::new("*".repeat(self.0.len())))
    }

    /// The digits.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl Serialize for KeyHex {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl fmt::Debug for KeyHex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHex(..)")
    }
}

/// One input of a formula.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RungInput {
    /// What the formula calls it.
    pub name: &'static str,
    /// Where it comes from.
    #[serde(skip)]
    pub origin: InputOrigin,
    /// The key that it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<&'static str>,
    /// The bytes of a message that it is.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The frames of the messages that it is, where it is several.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub frames: Vec<u64>,
}

/// Where an input comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum InputOrigin {
    /// It is a key of the ladder.
    Key,
    /// It is bytes of messages.
    Message,
    /// It is the password, which is in no message.
    Password,
    /// The client drew it.
    Nonce,
    /// It is always the same.
    Constant,
}

/// Bytes of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// `challenge` or `authenticate`; or the message of SMB 1 that it is a field of.
    pub message: &'static str,
    /// The frame that completes the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// First byte, from the start of the message.
    pub offset: usize,
    /// Number of bytes.
    pub length: usize,
}

/// Where the fields with key material stand.
#[derive(Debug)]
pub enum Places<'a> {
    /// In two messages.
    Messages {
        /// Fields of CHALLENGE.
        challenge: &'a Fields,
        /// The frame of CHALLENGE.
        challenge_frame: Option<u64>,
        /// Fields of AUTHENTICATE.
        authenticate: &'a Fields,
        /// The frame of AUTHENTICATE.
        authenticate_frame: Option<u64>,
    },
    /// In two messages of SMB 1; offsets count from their headers.
    Bare(&'a BareExchange),
}

impl Ladder {
    /// From a schedule; `places` says where the message bytes stand, if there are messages.
    #[must_use]
    pub fn new(keys: &KeySchedule, places: Option<&Places<'_>>) -> Self {
        let rungs = keys.steps().map(|step| Rung::new(step, places)).collect();
        Self { rungs, is_redacted: false }
    }

    /// The keys of SMB, which go on from ExportedSessionKey or SessionBaseKey; `hashed` are the frames
    /// of the messages before authentication.
    #[must_use]
    pub fn of_smb(steps: impl Iterator<Item = smb::Step>, hashed: &[u64]) -> Self {
        let rungs = steps.map(|step| Rung::of_smb(step, hashed)).collect();
        Self { rungs, is_redacted: false }
    }

    /// The keys of a live session: those of NTLM, and those of SMB behind them.
    #[must_use]
    pub fn of_session(
        ntlm: impl IntoIterator<Item = Step>,
        smb: impl IntoIterator<Item = smb::Step>,
    ) -> Self {
        let ntlm = ntlm.into_iter().map(|step| Rung::new(step, None));
        let rungs = ntlm.chain(smb.into_iter().map(|step| Rung::of_smb(step, &[]))).collect();
        Self { rungs, is_redacted: false }
    }

    /// The keys of SMB of which nothing is known, for one reason.
    #[must_use]
    pub fn of_smb_unknown(keys: &[smb::KeyName], why: &str) -> Self {
        let rung = |key: &smb::KeyName| Rung {
            name: key.name(),
            json_name: key.json_name(),
            part: Part::Smb,
            rule: None,
            inputs: Vec::new(),
            value: RungValue::Unknown(why.to_owned()),
        };
        Self { rungs: keys.iter().map(rung).collect(), is_redacted: false }
    }

    /// The session key of a secure channel, from the machine account's NT hash and both challenges
    /// (MS-NRPC 3.1.4.3); `frames` are those that said them.
    pub(crate) fn of_channel(
        algorithms: Algorithms,
        nt_hash: &Ntowfv1,
        session_key: &SessionKey,
        frames: [u64; 2],
    ) -> Self {
        let [client, server] = frames;
        let input =
            |name, origin, frames| RungInput { name, origin, key: None, place: None, frames };
        let m4ss = Rung {
            name: "M4SS",
            json_name: "m4ss",
            part: Part::Netlogon,
            rule: Some(RungRule {
                name: "M4ss",
                condition: "secure channel of a machine account",
                formula: "MD4(UNICODE(Password))",
                section: "MS-NRPC 3.1.4.3",
            }),
            inputs: vec![input("Password", InputOrigin::Password, Vec::new())],
            value: RungValue::Known(KeyHex::new(nt_hash.expose())),
        };
        let rule = match algorithms {
            Algorithms::AesSha2 => RungRule {
                name: "AesSha2",
                condition: "AES and SHA2 negotiated (flag W)",
                formula: "HMAC_SHA256(M4SS, ClientChallenge || ServerChallenge)[0..15]",
                section: "MS-NRPC 3.1.4.3.1",
            },
            Algorithms::InsecureRc4Md5 => RungRule {
                name: "StrongKey",
                condition: "strong keys negotiated (flag O), AES not",
                formula: "HMAC_MD5(M4SS, MD5(Z(4) || ClientChallenge || ServerChallenge))",
                section: "MS-NRPC 3.1.4.3.2",
            },
        };
        let session_key = Rung {
            rule: Some(rule),
            inputs: vec![
                RungInput { key: Some("m4ss"), ..input("M4SS", InputOrigin::Key, Vec::new()) },
                input("ClientChallenge", InputOrigin::Message, vec![client]),
                input("ServerChallenge", InputOrigin::Message, vec![server]),
            ],
            ..Rung::session_key(RungValue::Known(KeyHex::new(session_key.expose())))
        };
        Self { rungs: vec![m4ss, session_key], is_redacted: false }
    }

    /// The session key of a secure channel that was given.
    pub(crate) fn of_channel_given(session_key: &[u8; 16]) -> Self {
        let value = RungValue::Known(KeyHex::new(session_key));
        Self { rungs: vec![Rung::session_key(value)], is_redacted: false }
    }

    /// The session key of a secure channel that is not known.
    pub(crate) fn of_channel_unknown(why: &str) -> Self {
        let value = RungValue::Unknown(why.to_owned());
        Self { rungs: vec![Rung::session_key(value)], is_redacted: false }
    }

    /// A ladder of which nothing is known, for one reason.
    #[must_use]
    pub fn unknown(why: &str) -> Self {
        let rung = |key: KeyName| Rung {
            name: key.name(),
            json_name: key.json_name(),
            part: part(key),
            rule: None,
            inputs: Vec::new(),
            value: RungValue::Unknown(why.to_owned()),
        };
        Self { rungs: KeyName::STEPS.into_iter().map(rung).collect(), is_redacted: false }
    }

    /// The keys in order.
    #[must_use]
    pub fn rungs(&self) -> &[Rung] {
        &self.rungs
    }

    /// The value of a key in hex, by its name in JSON; `None` where it is empty or unknown.
    #[must_use]
    pub fn value(&self, json_name: &str) -> Option<&str> {
        let rung = self.rungs.iter().find(|rung| rung.json_name == json_name)?;
        match &rung.value {
            RungValue::Known(key) => Some(key.expose()),
            RungValue::Empty | RungValue::Unknown(_) => None,
        }
    }

    /// Whether values are to be masked.
    #[must_use]
    pub const fn is_redacted(&self) -> bool {
        self.is_redacted
    }

    /// Replaces every value by a mask of the same length.
    pub fn redact(&mut self) {
        self.is_redacted = true;
        for rung in &mut self.rungs {
            if let RungValue::Known(key) = &mut rung.value {
                *key = key.masked();
            }
        }
    }
}

impl Rung {
    /// SessionKey of a secure channel.
    const fn session_key(value: RungValue) -> Self {
        Self {
            name: "SessionKey",
            json_name: "session_key",
            part: Part::Netlogon,
            rule: None,
            inputs: Vec::new(),
            value,
        }
    }

    fn new(step: Step, places: Option<&Places<'_>>) -> Self {
        let inputs = step.rule.doc().inputs.iter();
        let value = match step.value {
            StepValue::Known(bytes) => RungValue::Known(KeyHex::new(bytes.expose())),
            StepValue::Empty => RungValue::Empty,
            StepValue::Unknown(why) => RungValue::Unknown(why.to_string()),
        };
        let ntlm::keys::RuleDoc { name, condition, formula, section, .. } = step.rule.doc();
        Self {
            name: step.key.name(),
            json_name: step.key.json_name(),
            part: part(step.key),
            rule: Some(RungRule { name, condition, formula, section }),
            inputs: inputs.map(|input| RungInput::new(*input, places)).collect(),
            value,
        }
    }

    fn of_smb(step: smb::Step, hashed: &[u64]) -> Self {
        let smb::RuleDoc { name, condition, formula, section, inputs, .. } = step.rule.doc();
        Self {
            name: step.key.name(),
            json_name: step.key.json_name(),
            part: Part::Smb,
            rule: Some(RungRule { name, condition, formula, section }),
            inputs: inputs.iter().map(|input| RungInput::of_smb(*input, hashed)).collect(),
            value: match step.value {
                smb::StepValue::Known(bytes) => RungValue::Known(KeyHex::new(bytes.expose())),
                smb::StepValue::Empty => RungValue::Empty,
                smb::StepValue::Unknown(why) => RungValue::Unknown(why.to_string()),
            },
        }
    }
}

impl RungInput {
    fn new(input: Input, places: Option<&Places<'_>>) -> Self {
        let key = match input {
            Input::Key(key) => Some(key.json_name()),
            _ => None,
        };
        let field = match input {
            Input::Field(field) => Some(field),
            _ => None,
        };
        let place = places.and_then(|places| match input {
            Input::Key(KeyName::NtProofStr) => {
                places.in_authenticate("NtChallengeResponse", 0, Some(16))
            }
            _ => field.and_then(|field| places.of(field)),
        });
        let origin = match input {
            Input::Key(_) => InputOrigin::Key,
            Input::Field(_) => InputOrigin::Message,
            Input::Password => InputOrigin::Password,
            Input::Nonce => InputOrigin::Nonce,
            Input::Constant(_) => InputOrigin::Constant,
        };
        Self { name: input.name(), origin, key, place, frames: Vec::new() }
    }

    fn of_smb(input: smb::Input, hashed: &[u64]) -> Self {
        let (origin, key) = match input {
            smb::Input::NtlmKey(key) => (InputOrigin::Key, Some(key.json_name())),
            smb::Input::Key(key) => (InputOrigin::Key, Some(key.json_name())),
            smb::Input::Field(_) => (InputOrigin::Message, None),
            smb::Input::Constant(_) => (InputOrigin::Constant, None),
        };
        let frames = match input {
            smb::Input::Field(smb::PacketField::PacketsBeforeAuthentication) => hashed.to_vec(),
            _ => Vec::new(),
        };
        Self { name: input.name(), origin, key, place: None, frames }
    }
}

const fn part(key: KeyName) -> Part {
    match key {
        KeyName::Lmowf | KeyName::NtowfV1 | KeyName::NtowfV2 => Part::Secret,
        KeyName::ResponseKeyNt | KeyName::ResponseKeyLm | KeyName::NtProofStr => Part::Response,
        KeyName::SessionBaseKey
        | KeyName::KeyExchangeKey
        | KeyName::RandomSessionKey
        | KeyName::ExportedSessionKey
        | KeyName::EncryptedRandomSessionKey => Part::Session,
        _ => Part::Protection,
    }
}

impl Places<'_> {
    fn of(&self, field: MessageField) -> Option<Place> {
        match field {
            MessageField::ServerChallenge => match self {
                Self::Messages { challenge, challenge_frame: frame, .. } => {
                    let Span { offset, length } = challenge.span("ServerChallenge")?;
                    Some(Place { message: "challenge", frame: *frame, offset, length })
                }
                Self::Bare(bare) => {
                    let field = bare.server_challenge.as_ref()?;
                    let (frame, offset) = (Some(field.origin.frame), field.offset);
                    let message = "smb_negotiate_response";
                    Some(Place { message, frame, offset, length: field.bytes.len() })
                }
            },
            MessageField::LmChallengeResponse8 => {
                self.in_authenticate("LmChallengeResponse", 0, Some(8))
            }
            MessageField::Temp => self.in_authenticate("NtChallengeResponse", 16, None),
            MessageField::Lmv2Challenge => self.in_authenticate("LmChallengeResponse", 16, Some(8)),
            MessageField::Lmv2Response => self.in_authenticate("LmChallengeResponse", 0, Some(16)),
            MessageField::UserName => self.in_authenticate("UserName", 0, None),
            MessageField::DomainName => self.in_authenticate("DomainName", 0, None),
            MessageField::EncryptedRandomSessionKey => {
                self.in_authenticate("EncryptedRandomSessionKey", 0, None)
            }
        }
    }

    /// `length` bytes of a field from `skip` on; without `length`, the rest of it.
    fn in_authenticate(&self, field: &str, skip: usize, length: Option<usize>) -> Option<Place> {
        let (message, frame, span) = match self {
            Self::Messages { authenticate, authenticate_frame, .. } => {
                ("authenticate", *authenticate_frame, authenticate.span(field)?)
            }
            Self::Bare(bare) => {
                let field = match field {
                    "LmChallengeResponse" => &bare.lm,
                    "NtChallengeResponse" => &bare.nt,
                    "UserName" => &bare.user,
                    "DomainName" => &bare.domain,
                    _ => return None,
                };
                let span = Span { offset: field.offset, length: field.bytes.len() };
                ("smb_session_setup_request", Some(field.origin.frame), span)
            }
        };
        let rest = span.length.checked_sub(skip)?;
        let length = length.unwrap_or(rest).min(rest);
        Some(Place { message, frame, offset: span.offset + skip, length })
    }
}

impl Serialize for Ladder {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.rungs.len()))?;
        for rung in &self.rungs {
            map.serialize_entry(rung.json_name, rung)?;
        }
        map.end()
    }
}

impl Serialize for Rung {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match &self.value {
            RungValue::Known(key) => map.serialize_entry("value", key.expose())?,
            RungValue::Empty => map.serialize_entry("value", &())?,
            RungValue::Unknown(why) => {
                map.serialize_entry("value", &())?;
                map.serialize_entry("unknown", why)?;
            }
        }
        if let Some(rule) = self.rule {
            map.serialize_entry("rule", rule.name)?;
            map.serialize_entry("condition", rule.condition)?;
            if !matches!(self.value, RungValue::Empty) {
                map.serialize_entry("formula", rule.formula)?;
                map.serialize_entry("inputs", &self.inputs)?;
            }
            map.serialize_entry("section", rule.section)?;
        }
        map.end()
    }
}

/// Lower-case hex.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_silent_in_debug_and_masked_by_its_length() {
        let key = KeyHex::new(&[0xab; 16]);
        let rung = RungValue::Known(key.masked());
        assert_eq!(format!("{key:?} {rung:?}"), "KeyHex(..) Known(KeyHex(..))");
        assert_eq!(key.expose(), "ab".repeat(16));
        assert_eq!(key.masked().expose(), "*".repeat(32));
    }
}
