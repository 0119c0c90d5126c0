//! Every rule of every key as one value, and the rungs of the ladder.

use super::doc::{KeyName, RuleDoc};
use super::{
    ApplicationKeyRule, CipherKeyRule, MacKeyRule, PreauthRule, SessionKeyRule, SigningKeyRule,
};
use alloc::vec::Vec;
use core::fmt;
use ntlm::keys::Direction;
use zeroize::Zeroizing;

/// The rule that chose how a key is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// For SessionKey.
    SessionKey(SessionKeyRule),
    /// For the key of SMB1 signatures.
    MacKey(MacKeyRule),
    /// For PreauthIntegrityHashValue.
    PreauthIntegrityHash(PreauthRule),
    /// For Session.SigningKey.
    SigningKey(SigningKeyRule),
    /// For Channel.SigningKey.
    ChannelSigningKey(SigningKeyRule),
    /// For the keys that encrypt.
    CipherKey(Direction, CipherKeyRule),
    /// For ApplicationKey.
    ApplicationKey(ApplicationKeyRule),
}

impl Rule {
    /// Every rule of every key, in the order of derivation.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let mut all = Vec::with_capacity(40);
        all.extend(SessionKeyRule::ALL.map(Self::SessionKey));
        all.extend(MacKeyRule::ALL.map(Self::MacKey));
        all.extend(PreauthRule::ALL.map(Self::PreauthIntegrityHash));
        all.extend(SigningKeyRule::ALL.map(Self::SigningKey));
        all.extend(SigningKeyRule::OF_CHANNELS.map(Self::ChannelSigningKey));
        for direction in Direction::ALL {
            all.extend(CipherKeyRule::ALL.map(|rule| Self::CipherKey(direction, rule)));
        }
        all.extend(ApplicationKeyRule::ALL.map(Self::ApplicationKey));
        all
    }

    /// The key that it computes.
    #[must_use]
    pub const fn key(self) -> KeyName {
        match self {
            Self::SessionKey(_) => KeyName::SessionKey,
            Self::MacKey(_) => KeyName::MacKey,
            Self::PreauthIntegrityHash(_) => KeyName::PreauthIntegrityHashValue,
            Self::SigningKey(_) => KeyName::SigningKey,
            Self::ChannelSigningKey(_) => KeyName::ChannelSigningKey,
            Self::CipherKey(Direction::ClientToServer, _) => KeyName::ClientToServerKey,
            Self::CipherKey(Direction::ServerToClient, _) => KeyName::ServerToClientKey,
            Self::ApplicationKey(_) => KeyName::ApplicationKey,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> RuleDoc {
        match self {
            Self::SessionKey(rule) => rule.doc(),
            Self::MacKey(rule) => rule.doc(),
            Self::PreauthIntegrityHash(rule) => rule.doc(),
            Self::SigningKey(rule) => rule.doc(),
            Self::ChannelSigningKey(rule) => rule.doc_of_channel(),
            Self::CipherKey(direction, rule) => rule.doc(direction),
            Self::ApplicationKey(rule) => rule.doc(),
        }
    }
}

/// One rung of the ladder: a key, the rule that chose its formula, its value.
#[derive(Debug)]
pub struct Step {
    /// Which key.
    pub key: KeyName,
    /// Which rule; [`Rule::doc`] has condition, formula, inputs and section.
    pub rule: Rule,
    /// What came out.
    pub value: StepValue,
}

impl Step {
    pub(super) const fn new(rule: Rule, value: StepValue) -> Self {
        Self { key: rule.key(), rule, value }
    }
}

/// What a step came to.
#[derive(Debug)]
pub enum StepValue {
    /// The key.
    Known(StepBytes),
    /// The rule leaves the key empty.
    Empty,
    /// There is such a key, but it cannot be known from what is at hand.
    Unknown(Unknown),
}

impl StepValue {
    pub(super) fn known(key: &[u8]) -> Self {
        Self::Known(StepBytes(Zeroizing::new(key.to_vec())))
    }
}

/// Why a key cannot be known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unknown {
    /// Not every packet before authentication is at hand, so 3.1.1's keys cannot be derived.
    PreauthIntegrityHash,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PreauthIntegrityHash => "not every packet before authentication is at hand",
        })
    }
}

/// The bytes of one key in a [`Step`], wiped on drop.
pub struct StepBytes(Zeroizing<Vec<u8>>);

impl StepBytes {
    /// The key.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for StepBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StepBytes(..)")
    }
}
