//! The vocabulary in which every rule is documented, as in `ntlm::keys`: names of keys, inputs, rows.
//!
//! The types are ours because those of the core list its own keys and fields; their shape is the
//! same, so a face prints both with the same code.

use core::fmt;

/// The keys of an SMB session, in the order in which they are derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyName {
    /// SessionKey.
    SessionKey,
    /// The key of SMB1 signatures.
    MacKey,
    /// PreauthIntegrityHashValue: no key, but every key of 3.1.1 depends on it.
    PreauthIntegrityHashValue,
    /// Session.SigningKey.
    SigningKey,
    /// Channel.SigningKey of a connection that was bound to a session.
    ChannelSigningKey,
    /// The client's EncryptionKey, the server's DecryptionKey.
    ClientToServerKey,
    /// The server's EncryptionKey, the client's DecryptionKey.
    ServerToClientKey,
    /// ApplicationKey.
    ApplicationKey,
}

impl KeyName {
    /// All of them, in order.
    pub const ALL: [Self; 8] = [
        Self::SessionKey,
        Self::MacKey,
        Self::PreauthIntegrityHashValue,
        Self::SigningKey,
        Self::ChannelSigningKey,
        Self::ClientToServerKey,
        Self::ServerToClientKey,
        Self::ApplicationKey,
    ];

    /// The name as the specification spells it, where it has one name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::SessionKey => "SessionKey",
            Self::MacKey => "MAC key",
            Self::PreauthIntegrityHashValue => "PreauthIntegrityHashValue",
            Self::SigningKey => "SigningKey",
            Self::ChannelSigningKey => "Channel.SigningKey",
            Self::ClientToServerKey => "client-to-server cipher key",
            Self::ServerToClientKey => "server-to-client cipher key",
            Self::ApplicationKey => "ApplicationKey",
        }
    }

    /// The name in JSON.
    #[must_use]
    pub const fn json_name(self) -> &'static str {
        match self {
            Self::SessionKey => "session_key",
            Self::MacKey => "mac_key",
            Self::PreauthIntegrityHashValue => "preauth_hash",
            Self::SigningKey => "signing_key",
            Self::ChannelSigningKey => "channel_signing_key",
            Self::ClientToServerKey => "client_to_server_key",
            Self::ServerToClientKey => "server_to_client_key",
            Self::ApplicationKey => "application_key",
        }
    }

    /// What other documents and programs call it.
    #[must_use]
    pub const fn other_names(self) -> &'static [&'static str] {
        match self {
            Self::SessionKey => &["Session.SessionKey", "user session key", "Session Key (Samba)"],
            Self::MacKey => {
                &["SigningSessionKey || ChallengeResponse (MS-CIFS)", "MAC session key"]
            }
            Self::PreauthIntegrityHashValue => &["preauth hash"],
            Self::SigningKey => &["Signing Key (Samba)"],
            Self::ChannelSigningKey => &[],
            Self::ClientToServerKey => {
                &["EncryptionKey (client)", "DecryptionKey (server)", "ServerIn Key (Samba)"]
            }
            Self::ServerToClientKey => {
                &["DecryptionKey (client)", "EncryptionKey (server)", "ServerOut Key (Samba)"]
            }
            Self::ApplicationKey => &["App Key (Samba)", "session key of named pipes"],
        }
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What goes into a formula.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// A key of NTLM.
    NtlmKey(ntlm::keys::KeyName),
    /// A key of an earlier step.
    Key(KeyName),
    /// Bytes of packets.
    Field(PacketField),
    /// A constant, as text.
    Constant(&'static str),
}

impl Input {
    /// What the formula calls it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::NtlmKey(key) => key.name(),
            Self::Key(key) => key.name(),
            Self::Field(field) => field.name(),
            Self::Constant(text) => text,
        }
    }
}

/// The bytes of packets that formulas use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PacketField {
    /// UnicodePassword of SMB_COM_SESSION_SETUP_ANDX: the NT response.
    UnicodePassword,
    /// OEMPassword of SMB_COM_SESSION_SETUP_ANDX: the LM response.
    OemPassword,
    /// The packets of NEGOTIATE and SESSION_SETUP, whole.
    PacketsBeforeAuthentication,
}

impl PacketField {
    /// What the formulas call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::UnicodePassword => "UnicodePassword",
            Self::OemPassword => "OEMPassword",
            Self::PacketsBeforeAuthentication => "Message",
        }
    }
}

/// One row of the reference table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleDoc {
    /// The rule, as in JSON.
    pub name: &'static str,
    /// When it applies: dialect, algorithms, what is at hand.
    pub condition: &'static str,
    /// What is computed; "none" where the rule leaves the key empty.
    pub formula: &'static str,
    /// Label and Context of the KDF, where the formula is one.
    pub kdf: Option<KdfDoc>,
    /// What goes in.
    pub inputs: &'static [Input],
    /// Length of the key in bytes; 0 where there is none, or where it depends on a response.
    pub length: usize,
    /// Where it is specified.
    pub section: &'static str,
    /// Which end computes it.
    pub computed_by: &'static str,
    /// Where documents disagree, or people go wrong.
    pub beware: Option<&'static str>,
}

/// Label and Context with which a key is derived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KdfDoc {
    /// Label, with the zero byte at its end.
    pub label: &'static str,
    /// Context, with the zero byte at its end; `None` is PreauthIntegrityHashValue.
    pub context: Option<&'static str>,
    /// L, in bits.
    pub length_bits: u32,
}
