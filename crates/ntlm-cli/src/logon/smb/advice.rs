//! What to try after a refusal.

use ntlm_net::smb::Error;
use ntlm_smb::NtStatus;
use ntlm_smb::client::{ClientError, PeerError, Unavailable};

/// What an error suggests, where it suggests something.
pub(super) fn advice(error: &Error) -> Option<&'static str> {
    match error {
        Error::ClosedByServer => Some(
            "The server hung up without a word: as a rule it lacks the dialect. Try --dialect with \
             another, or --multi-protocol.",
        ),
        Error::Frame(_) => Some("Something else listens on this port."),
        Error::NetBios(_) => Some("Try without --netbios, on port 445."),
        Error::Client(ClientError::Refused { status, .. }) => of_status(*status),
        Error::Client(ClientError::Peer(error)) => of_peer(error),
        Error::Client(ClientError::Unavailable(what)) => of_unavailable(*what),
        _ => None,
    }
}

const fn of_status(status: NtStatus) -> Option<&'static str> {
    Some(match status {
        NtStatus::LOGON_FAILURE => {
            "The user is unknown, the password is wrong, or the server refuses this version of NTLM: \
             it does not say which. Check the name, also its domain (smb://DOMAIN;user@..), then the \
             password; the server's log says more."
        }
        NtStatus::ACCOUNT_DISABLED => "The password may be right, but the account is disabled.",
        NtStatus::ACCOUNT_LOCKED_OUT => "The account is locked: wait, or have it unlocked.",
        NtStatus::PASSWORD_MUST_CHANGE => {
            "The password is right and must be changed first, which NTLM over SMB cannot do."
        }
        NtStatus::PASSWORD_EXPIRED => "The password is right but has expired: change it first.",
        NtStatus::ACCOUNT_RESTRICTION => {
            "The account may not log on this way: no empty password over the network, or a member of \
             Protected Users, who may not use NTLM."
        }
        NtStatus::BAD_NETWORK_NAME => "The logon went well, but there is no such share. Try IPC$.",
        NtStatus::ACCESS_DENIED => {
            "The account may not use this, or the server wants it encrypted: try --encrypt."
        }
        NtStatus::INVALID_PARAMETER => {
            "Without extended security Samba takes NTLMv2 only with `raw NTLMv2 auth = yes`. Leave \
             --insecure-bare-session-setup out if it is there."
        }
        NtStatus::NOT_SUPPORTED => "The server does not take NTLM, or not this version of it.",
        _ => return None,
    })
}

const fn of_peer(error: &PeerError) -> Option<&'static str> {
    Some(match error {
        PeerError::NoCommonDialect | PeerError::DialectNotOffered(_) => {
            "Try --dialect with another, such as 1 for old devices."
        }
        PeerError::NotTheAccount => {
            "The server does not know the account and lets in anybody, or somebody between says so \
             to strip signing. --insecure-allow-guest accepts it."
        }
        PeerError::NotSigned { .. } | PeerError::Signature(_) => {
            "Either the server has another key, as it has where it did not check the password, or \
             somebody between changed a message. Without extended security Samba never signs: leave \
             --sign or --insecure-bare-session-setup out."
        }
        PeerError::NegotiateInfo(_) => {
            "Somebody between changed the negotiation, or the server is broken. Nothing more was \
             sent."
        }
        PeerError::Spnego(_) => "The server may not take NTLM, or may be set up for Kerberos only.",
        _ => return None,
    })
}

const fn of_unavailable(what: Unavailable) -> Option<&'static str> {
    Some(match what {
        Unavailable::Encryption => {
            "Encryption needs SMB 3, a server that offers it, and an account: not a guest, not nobody."
        }
        Unavailable::Signing => "Signing needs an account: not a guest, not nobody.",
        Unavailable::ExtendedSecurity => {
            "An old server, or somebody between who hides what it can do. \
             --insecure-bare-session-setup sends bare responses."
        }
        Unavailable::BareSessionSetup => "Leave --insecure-bare-session-setup out.",
        _ => return None,
    })
}
