//! Which key signs a message of SMB 2 and 3, or why none does.

use crate::keys::KeyName;
use crate::smb2::{Command, Header};
use ntlm::NtStatus;

/// How far a session has come on this connection when a message is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SessionPhase {
    /// The message is part of the SESSION_SETUP that makes the session.
    BeingMade,
    /// The message is part of the SESSION_SETUP that binds this connection to the session.
    BeingBound,
    /// The session stands on this connection. It may be authenticating again.
    Established,
}

/// Whom a session is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Identity {
    /// An account that proved itself.
    Account,
    /// An unknown account that the server let in as guest.
    Guest,
    /// Nobody.
    Anonymous,
}

/// Which key signs a message, or why none does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SignatureRule {
    /// It came encrypted.
    Encrypted,
    /// NEGOTIATE.
    Negotiate,
    /// STATUS_PENDING.
    Interim,
    /// MessageId all ones.
    Unsolicited,
    /// SESSION_SETUP before there is a key.
    NoKeyYet,
    /// Guest and anonymous.
    NoKey,
    /// The last response of the SESSION_SETUP that makes a session.
    LastOfSession,
    /// The SESSION_SETUP that binds a connection, up to its last response.
    Binding,
    /// The last response of the SESSION_SETUP that binds a connection.
    LastOfBinding,
    /// Everything else.
    Established,
}

/// Whether a message has to be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Signed {
    /// Never.
    Never,
    /// Where one end requires it; a response where its request was.
    IfRequired,
    /// Always, whatever was negotiated.
    Always,
}

/// What the table says of a [`SignatureRule`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignatureRuleDoc {
    /// The rule, as in JSON.
    pub name: &'static str,
    /// To which messages it applies.
    pub condition: &'static str,
    /// The key that signs.
    pub key: Option<KeyName>,
    /// Whether it has to.
    pub signed: Signed,
    /// Where it is specified.
    pub section: &'static str,
    /// Where documents disagree, or people go wrong.
    pub beware: Option<&'static str>,
}

impl SignatureRule {
    /// Every rule.
    pub const ALL: [Self; 10] = [
        Self::Encrypted,
        Self::Negotiate,
        Self::Interim,
        Self::Unsolicited,
        Self::NoKeyYet,
        Self::NoKey,
        Self::LastOfSession,
        Self::Binding,
        Self::LastOfBinding,
        Self::Established,
    ];

    /// The rule for a message.
    #[must_use]
    pub fn choose(
        header: &Header,
        encrypted: bool,
        phase: SessionPhase,
        identity: Identity,
    ) -> Self {
        let succeeds = header.is_response() && header.status == NtStatus::SUCCESS;
        if encrypted {
            return Self::Encrypted;
        }
        if header.message_id == Header::UNSOLICITED {
            return Self::Unsolicited;
        }
        if header.command == Command::NEGOTIATE {
            return Self::Negotiate;
        }
        if header.is_interim() {
            return Self::Interim;
        }
        match (phase, identity) {
            (SessionPhase::BeingMade, _) if !succeeds => Self::NoKeyYet,
            (_, Identity::Guest | Identity::Anonymous) => Self::NoKey,
            (SessionPhase::BeingMade, Identity::Account) => Self::LastOfSession,
            (SessionPhase::BeingBound, Identity::Account) if succeeds => Self::LastOfBinding,
            (SessionPhase::BeingBound, Identity::Account) => Self::Binding,
            (SessionPhase::Established, Identity::Account) => Self::Established,
        }
    }

    /// What the table says of it.
    #[must_use]
    pub const fn doc(self) -> SignatureRuleDoc {
        const NEVER: SignatureRuleDoc = SignatureRuleDoc {
            name: "",
            condition: "",
            key: None,
            signed: Signed::Never,
            section: "",
            beware: None,
        };
        match self {
            Self::Encrypted => SignatureRuleDoc {
                name: "Encrypted",
                condition: "the message came inside an SMB2 TRANSFORM_HEADER",
                section: "MS-SMB2 3.1.4.3, 3.2.5.1.1",
                beware: Some(
                    "The cipher's tag is the proof. Windows sets SMB2_FLAGS_SIGNED inside all the \
                     same, over a Signature of zeros: ignore it.",
                ),
                ..NEVER
            },
            Self::Negotiate => SignatureRuleDoc {
                name: "Negotiate",
                condition: "NEGOTIATE",
                section: "MS-SMB2 3.3.5.4",
                beware: Some(
                    "There is no key yet. What protects it comes later: the hash under 3.1.1, \
                     FSCTL_VALIDATE_NEGOTIATE_INFO before.",
                ),
                ..NEVER
            },
            Self::Interim => SignatureRuleDoc {
                name: "Interim",
                condition: "an asynchronous response with STATUS_PENDING",
                section: "MS-SMB2 3.3.4.2",
                beware: Some(
                    "The real response has the same MessageId, and under AES-GMAC that is the \
                     nonce.",
                ),
                ..NEVER
            },
            Self::Unsolicited => SignatureRuleDoc {
                name: "Unsolicited",
                condition: "MessageId 0xffffffffffffffff: oplock and lease breaks, notifications",
                section: "MS-SMB2 3.3.4.1.1, 3.3.4.6",
                ..NEVER
            },
            Self::NoKeyYet => SignatureRuleDoc {
                name: "NoKeyYet",
                condition: "SESSION_SETUP of a new session, but its last response; a refusal",
                section: "MS-SMB2 3.2.4.2.3",
                ..NEVER
            },
            Self::NoKey => SignatureRuleDoc {
                name: "NoKey",
                condition: "guest, anonymous",
                section: "MS-SMB2 3.2.5.3.1, 3.3.5.5.3",
                beware: Some(
                    "Accept an unsigned success only where the client asked for this: otherwise \
                     whoever stands between strips signing by calling the client a guest.",
                ),
                ..NEVER
            },
            Self::LastOfSession => SignatureRuleDoc {
                name: "LastOfSession",
                condition: "the successful SESSION_SETUP response of a new session, every dialect",
                key: Some(KeyName::SigningKey),
                signed: Signed::Always,
                section: "MS-SMB2 3.3.5.5.3, 3.2.5.3.1",
                beware: Some(
                    "Signed with the key just derived, even where signing was not negotiated. \
                     Checking it is what makes the hash of 3.1.1 count.",
                ),
            },
            Self::Binding => SignatureRuleDoc {
                name: "Binding",
                condition: "SESSION_SETUP with SMB2_SESSION_FLAG_BINDING, but its last response",
                key: Some(KeyName::SigningKey),
                signed: Signed::Always,
                section: "MS-SMB2 3.2.4.2.3.3, 3.3.5.5",
                beware: Some("The session's key, not one of this connection."),
            },
            Self::LastOfBinding => SignatureRuleDoc {
                name: "LastOfBinding",
                condition: "the successful SESSION_SETUP response that binds a connection",
                key: Some(KeyName::ChannelSigningKey),
                signed: Signed::Always,
                section: "MS-SMB2 3.3.5.5.3, 3.2.5.3.3",
                beware: None,
            },
            Self::Established => SignatureRuleDoc {
                name: "Established",
                condition: "everything else, also when a session authenticates again",
                key: Some(KeyName::ChannelSigningKey),
                signed: Signed::IfRequired,
                section: "MS-SMB2 3.2.4.1.1, 3.3.4.1.1",
                beware: Some(
                    "On the connection that made the session, Channel.SigningKey is SigningKey. \
                     Under 3.1.1 TREE_CONNECT requests are always signed or encrypted.",
                ),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::smb2::HeaderFlags;

    #[test]
    fn session_setup_is_signed_from_its_last_response_on() {
        let request = Header::new(Command::SESSION_SETUP, 2);
        let response = |status| Header { status, flags: HeaderFlags::SERVER_TO_REDIR, ..request };
        let more = response(NtStatus::MORE_PROCESSING_REQUIRED);
        let (last, refused) = (response(NtStatus::SUCCESS), response(NtStatus::LOGON_FAILURE));
        let choose = |header, phase| SignatureRule::choose(header, false, phase, Identity::Account);
        use SessionPhase::{BeingBound, BeingMade, Established};
        for (header, phase, rule) in [
            (&request, BeingMade, SignatureRule::NoKeyYet),
            (&more, BeingMade, SignatureRule::NoKeyYet),
            (&refused, BeingMade, SignatureRule::NoKeyYet),
            (&last, BeingMade, SignatureRule::LastOfSession),
            (&request, BeingBound, SignatureRule::Binding),
            (&more, BeingBound, SignatureRule::Binding),
            (&last, BeingBound, SignatureRule::LastOfBinding),
            (&request, Established, SignatureRule::Established),
            (&last, Established, SignatureRule::Established),
        ] {
            assert_eq!(choose(header, phase), rule);
        }
        for identity in [Identity::Guest, Identity::Anonymous] {
            let rule = SignatureRule::choose(&last, false, BeingMade, identity);
            assert_eq!(rule, SignatureRule::NoKey);
        }
        let rule = SignatureRule::choose(&last, true, Established, Identity::Account);
        assert_eq!(rule, SignatureRule::Encrypted);
    }

    #[test]
    fn a_rule_names_a_key_where_it_signs() {
        for rule in SignatureRule::ALL {
            let doc = rule.doc();
            assert_eq!(doc.key.is_some(), doc.signed != Signed::Never, "{}", doc.name);
        }
    }
}
