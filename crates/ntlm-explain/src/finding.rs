//! Findings: what is worth saying about an exchange, each with a stable code.

use serde::{Serialize, Serializer};

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// Weak, or likely to go wrong.
    Warning,
    /// Wrong.
    Error,
}

/// Where in a message a finding points.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct At {
    /// `negotiate`, `challenge` or `authenticate`.
    pub message: &'static str,
    /// The frame that completes the message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// First byte, from the start of the message.
    pub offset: usize,
    /// Number of bytes.
    pub length: usize,
}

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What it is.
    pub code: FindingCode,
    /// How much it matters.
    pub severity: Severity,
    /// In words, for this exchange.
    pub message: String,
    /// Where, if it is about bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<At>,
}

impl Finding {
    /// A finding about the exchange as a whole.
    #[must_use]
    pub fn new(code: FindingCode, message: impl Into<String>) -> Self {
        Self { code, severity: code.severity(), message: message.into(), at: None }
    }

    /// The same, pointing at bytes.
    #[must_use]
    pub fn at(self, at: Option<At>) -> Self {
        Self { at, ..self }
    }
}

/// Findings as they come up.
#[derive(Debug, Default)]
pub(crate) struct Findings(Vec<Finding>);

impl Findings {
    pub(crate) fn say(&mut self, code: FindingCode, message: impl Into<String>) {
        self.0.push(Finding::new(code, message));
    }

    pub(crate) fn point(&mut self, code: FindingCode, message: impl Into<String>, at: Option<At>) {
        self.0.push(Finding::new(code, message).at(at));
    }

    /// What matters most comes first; what matters alike stays in the order it was said.
    pub(crate) fn into_sorted(mut self) -> Vec<Finding> {
        self.0.sort_by_key(|finding| core::cmp::Reverse(finding.severity));
        self.0
    }
}

macro_rules! findings {
    ($($(#[doc = $meaning:literal])+ $name:ident $code:literal $severity:ident $advice:literal)*) => {
        /// What a finding is about. Codes are stable.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum FindingCode {
            $($(#[doc = $meaning])+ $name,)*
        }

        impl FindingCode {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The code in JSON and on screen.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$name => $code,)* }
            }

            /// How much it matters.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }

            /// What it means.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => concat!($($meaning),+),)* }
            }

            /// What to do next.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$name => $advice,)* }
            }
        }
    };
}

findings! {
    /// The client proved itself with LM or NTLMv1, which can be broken from one recorded exchange.
    WeakVersion "weak-version" Warning
        "Set LmCompatibilityLevel to 3 or more at the client and 5 at the server or domain controller."
    /// Beside the NTLMv1 response stands one made from the LM hash, which falls in minutes.
    LmResponseSent "lm-response-sent" Warning
        "Set LmCompatibilityLevel to 3 or more at the client, and stop storing LM hashes."
    /// Messages are to be protected, but extended session security was not negotiated.
    NoExtendedSessionSecurity "no-extended-session-security" Warning
        "Find out which end does not offer NTLMSSP_NEGOTIATE_EXTENDED_SESSIONSECURITY."
    /// The keys that protect messages have fewer than 128 secret bits.
    WeakKeys "weak-keys" Warning "Require 128-bit encryption at both ends."
    /// The response is not valid under the secret that was given for this account.
    InvalidResponse "invalid-response" Error
        "If the server refused it too, the client has another password; if not, check the secrets file, then user, domain and server challenge."
    /// The MIC does not hold: a message was changed on the way, or is not the one that was sent.
    InvalidMic "invalid-mic" Error
        "Compare the three messages as each end saw them; the MIC covers every byte of them."
    /// The server offered a timestamp, yet the client announced no MIC.
    MicMissing "mic-missing" Warning
        "A client since Windows Vista sends one; without it, the flags can be changed on the way."
    /// MsvAvFlags announces a MIC, but the message has none.
    AnnouncedMicMissing "announced-mic-missing" Error
        "Someone took it out on the way, or the client is broken; a server must refuse this."
    /// NEGOTIATE was not captured, so the MIC cannot be checked.
    NegotiateNotSeen "negotiate-not-seen" Info "Start the capture before the connection."
    /// The client sent no channel bindings.
    ChannelBindingsAbsent "channel-bindings-absent" Info
        "Over TLS, a server that requires them refuses this client."
    /// The client sent channel bindings of zeros: it knows of no TLS channel.
    ChannelBindingsZero "channel-bindings-zero" Info
        "Over TLS, a server that requires them refuses this client."
    /// The client vouches for a target name that comes from an untrusted source.
    TargetNameUntrusted "target-name-untrusted" Info
        "The client derived the SPN from something that the user or the network said."
    /// The target name that the client means is not a name that the server gave itself.
    TargetNameOther "target-name-other" Info
        "Compare the SPN with the server's names; an alias is fine if the server knows it."
    /// The domain matched no entry, and the user name alone did.
    OtherDomain "other-domain" Info "Add an entry with this domain to the secrets file."
    /// The response holds with an empty domain only, though a domain was sent.
    EmptyDomain "empty-domain" Info
        "The client computed NTOWFv2 without the domain, as Windows XP does for local accounts."
    /// No secret is known for this account.
    UnknownAccount "unknown-account" Info "Add the account to the secrets file."
    /// Two entries of the secrets fit this account equally well.
    AmbiguousAccount "ambiguous-account" Error "Remove one of the two entries."
    /// No proof was offered: user, domain and NT response are empty.
    Anonymous "anonymous" Info "Refuse anonymous logons where they are not needed."
    /// The server let the client in as a guest: it proved nothing, and its keys protect nothing.
    Guest "guest" Warning
        "Turn guest access off at the server, or mend the account's name or password."
    /// A local call of Windows: the proof is a handle within one machine.
    LocalCall "local-call" Info "There are no keys that could be derived from the messages."
    /// The exchange has no CHALLENGE or no AUTHENTICATE.
    HalfExchange "half-exchange" Warning
        "Capture the whole connection; or the logon was given up midway."
    /// The client proved itself, but what the server answered was not seen.
    AnswerNotSeen "answer-not-seen" Info
        "Capture until the connection is used or closed; or look at the server's log."
    /// A message breaks a rule of its format.
    DamagedMessage "damaged-message" Warning "Compare the bytes with the section of the field (`ntlm decode` shows them)."
    /// An AV_PAIR stands twice in one list.
    DuplicateAvPair "duplicate-av-pair" Warning
        "Implementations differ in which one they take; find out which end wrote the second."
    /// An AV_PAIR list does not end with MsvAvEOL.
    UnterminatedAvPairs "unterminated-av-pairs" Warning
        "Some implementations read on behind its end; mend the end that wrote it."
    /// A message cannot be decoded.
    UnreadableMessage "unreadable-message" Error "See which field is wrong and where."
    /// Bytes of a message were not captured.
    CaptureGap "capture-gap" Warning "Capture again without loss."
    /// CHALLENGE does not grant flags for protection that the client offered.
    FlagsNotGranted "flags-not-granted" Info
        "The server cannot do it, was told not to, or someone changed NEGOTIATE or CHALLENGE."
    /// AUTHENTICATE keeps fewer flags for protection than CHALLENGE granted.
    FlagsDropped "flags-dropped" Warning
        "A client drops them only if it was told to, or someone changed the message."
    /// AUTHENTICATE sets flags that CHALLENGE did not grant.
    FlagsAdded "flags-added" Info "The server ignores them."
    /// The client did not send back the AV_PAIRs of the CHALLENGE.
    TargetInfoNotEchoed "target-info-not-echoed" Warning
        "The client answered another CHALLENGE, or strips AV_PAIRs."
    /// The clocks of client and server are more than half an hour apart.
    ClockSkew "clock-skew" Info "Windows before 2012 refuses the client; correct the clocks."
    /// KEY_EXCH and SIGN or SEAL are set, but EncryptedRandomSessionKey is not 16 bytes long.
    InvalidSessionKey "invalid-session-key" Error "A server answers SEC_E_INVALID_TOKEN."
    /// The server refused the logon.
    Refused "refused" Info
        "See the status; with the account in the secrets file, it shows whether the password was right."
    /// The server refused the logon although the response is valid under the secret.
    RefusedThoughValid "refused-though-valid" Warning
        "The password is right: look at the account's state, its rights, and the server's policy."
    /// The server accepted the logon although the response is not valid under the secret.
    AcceptedThoughInvalid "accepted-though-invalid" Warning
        "The secret given here is not the account's, or the server lets in whoever it does not know."
    /// Only the ExportedSessionKey is known, not the account's secret.
    SessionKeyOnly "session-key-only" Info
        "Add the password or NT hash to have the response checked."
    /// A signature of SMB does not hold, or is missing where there has to be one.
    SmbSignatureInvalid "smb-signature-invalid" Error
        "A message was changed on the way, or one end signs with another key or in another way: see which message it is and which key it was checked with."
    /// An encrypted packet of SMB does not open with the key of its session and direction.
    SmbDecryptionFailed "smb-decryption-failed" Error
        "A packet was changed on the way, or one end encrypts with another key or nonce: see the cipher and the key."
    /// Signatures or encrypted packets of SMB could not be checked.
    SmbUnchecked "smb-unchecked" Info
        "Give the account's secret, and capture the whole connection from its first packet on."
    /// Packets of an SMB connection were not captured, so signatures and encrypted packets are not all counted.
    SmbGap "smb-gap" Warning "Capture again without loss."
    /// The capture ends before the SMB session does.
    SmbNotEnded "smb-not-ended" Info "Capture until the connection is closed."
    /// The keys of SMB cannot be derived, although the logon was accepted.
    SmbKeysUnknown "smb-keys-unknown" Info
        "Capture the whole connection from its first packet on: SMB 3.1.1 derives its keys from all messages before."
    /// Neither signed nor encrypted: whoever stands between can change what an SMB session carries.
    SmbNotProtected "smb-not-protected" Warning
        "Require signing at one end, or encryption at the server."
    /// An anonymous session of SMB is signed all the same, with keys that anyone can compute.
    SmbAnonymousSigned "smb-anonymous-signed" Info
        "The signatures hold and prove nothing; MS-SMB2 has no signing in anonymous sessions."
    /// SMB was spoken without its extended security: the responses stand alone, without MIC, key exchange and channel bindings.
    SmbNoExtendedSecurity "smb-no-extended-security" Warning
        "Turn SMB 1 off; or find out which end does not offer CAP_EXTENDED_SECURITY."
    /// There were too many sessions at once to follow this one to its end.
    SmbNotFollowed "smb-not-followed" Info "Cut the capture by address or port and explain the parts."
    /// A signature of DCE/RPC does not hold.
    RpcSignatureInvalid "rpc-signature-invalid" Error
        "A fragment was changed on the way, or one end signs with another key or in another order: see which fragment it is and which key it was checked with."
    /// Signatures of DCE/RPC could not be checked.
    RpcUnchecked "rpc-unchecked" Info
        "Give the account's secret, and capture the whole connection from its first packet on."
    /// Fragments of DCE/RPC were not captured, so signatures are not all counted. Behind a loss, the place in a key stream is not known.
    RpcGap "rpc-gap" Warning "Capture again without loss."
    /// The capture ends before the association of DCE/RPC does.
    RpcNotEnded "rpc-not-ended" Info "Capture until the connection is closed."
    /// Calls of DCE/RPC are neither signed nor sealed: whoever stands between can change them.
    RpcNotProtected "rpc-not-protected" Warning
        "Ask for integrity or privacy at the client, or demand it at the server."
    /// There were too many associations at once to follow this one to its end.
    RpcNotFollowed "rpc-not-followed" Info "Cut the capture by address or port and explain the parts."
    /// The key of a Netlogon secure channel is not known, so what goes through it was not checked.
    NetlogonKeyUnknown "netlogon-key-unknown" Info
        "Add the machine account to the secrets file, and begin the capture before the channel is set up; or add its netlogon_session_key."
    /// The credentials of a Netlogon secure channel do not hold under the secret that was given for the machine account.
    NetlogonCredentialInvalid "netlogon-credential-invalid" Error
        "Check the secrets file: machines change their passwords every month."
    /// No signature of a Netlogon secure channel holds under the key that is known: it is that of another channel.
    NetlogonOtherKey "netlogon-other-key" Warning
        "Begin the capture before the channel is set up, without loss; or give the netlogon_session_key of this one."
    /// How a Netlogon secure channel was set up was not seen.
    NetlogonSetupNotSeen "netlogon-setup-not-seen" Info
        "Begin the capture before the member's service starts, or give its netlogon_session_key."
    /// A Netlogon secure channel computes with RC4 and MD5.
    NetlogonWeak "netlogon-weak" Warning
        "Demand AES at the domain controller (RejectMD5Clients), and bring old members up to date."
    /// A Netlogon secure channel is signed but not sealed.
    NetlogonNotSealed "netlogon-not-sealed" Warning
        "Demand sealing at the domain controller (RequireSeal, CVE-2022-38023)."
    /// A call of Netlogon that passes a logon through cannot be read.
    NetlogonCallUnreadable "netlogon-call-unreadable" Warning "See which field is wrong and where."
    /// More logons were passed through one channel than are listed.
    NetlogonLogonsLeftOut "netlogon-logons-left-out" Info
        "Cut the capture by time and explain the parts."
    /// A file of the capture cannot be read to its end. What comes before the damage was read.
    DamagedFile "damaged-file" Error "Copy the file again, or capture again."
    /// Bytes of a connection were not captured, and belong to no exchange that was found.
    GapElsewhere "gap-elsewhere" Warning
        "There may have been an exchange that is missing here: capture again without loss."
    /// There were more connections at once than are followed, so the oldest were dropped.
    ConnectionsDropped "connections-dropped" Warning
        "Capture or filter by the hosts and ports of interest."
    /// Bytes of a connection came twice and differ; the first copy was taken.
    ConflictingBytes "conflicting-bytes" Warning
        "Someone inserts packets on the way, or the capture is of several connections at once."
    /// Packets of a kind of link that is not read.
    UnknownLinkType "unknown-link-type" Warning "Capture at an interface of Ethernet or IP."
    /// Packets that could not be used.
    UnusablePackets "unusable-packets" Info
        "Capture whole packets (no snap length) and without loss."
    /// A connection without an exchange was not captured from beginning to end.
    IncompleteConnections "incomplete-connections" Info
        "If a logon is missing here, begin the capture before it and end it after."
}

impl Serialize for FindingCode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.code())
    }
}
