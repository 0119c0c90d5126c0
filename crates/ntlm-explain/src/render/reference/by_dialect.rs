//! What each key is under each dialect of SMB.

use super::rows::{code, line};
use ntlm::keys::{ExportedSessionKey, NtlmVersion, SessionBaseKey};
use ntlm_smb::keys::{
    Establishment, KeyName, PreauthIntegrityHash, Rule, SessionKey, SessionKeySource,
    Smb1KeySchedule, Smb1KeySource, SmbDerivation, SmbKeySchedule, Step,
};
use ntlm_smb::{Cipher, Dialect, SigningAlgorithm};
use std::fmt::Write;

const HEADS: [&str; 6] = [
    "SMB 1 with extended security",
    "SMB 1 without",
    "2.0.2, 2.1",
    "3.0, 3.0.2",
    "3.1.1, AES-128",
    "3.1.1, AES-256",
];

/// The table, by the schedules that compute.
pub(super) fn by_dialect(out: &mut String) {
    let columns = [
        smb1(&Smb1KeySource::ExtendedSecurity(&ExportedSessionKey::new([0; 16]))),
        smb1(&Smb1KeySource::Responses {
            version: NtlmVersion::Ntlmv2,
            session_base_key: &SessionBaseKey::new([0; 16]),
            lm_response: &[0; 24],
            nt_response: &[0; 24],
        }),
        smb(Dialect::Smb210, None),
        smb(Dialect::Smb300, Some(Cipher::Aes128Ccm)),
        smb(Dialect::Smb311, Some(Cipher::Aes128Gcm)),
        smb(Dialect::Smb311, Some(Cipher::Aes256Gcm)),
    ];
    let _ = writeln!(out, "| key | {} |", HEADS.join(" | "));
    let _ = writeln!(out, "|---|{}", "---|".repeat(HEADS.len()));
    for key in KeyName::ALL {
        let cells = columns.each_ref().map(|rules| {
            let rule = rules.iter().find(|rule| rule.key() == key);
            code(rule.map_or("none", |rule| rule.doc().formula))
        });
        let _ = writeln!(out, "| {} | {} |", key.name(), line(&cells));
    }
}

fn smb1(source: &Smb1KeySource<'_>) -> Vec<Rule> {
    Smb1KeySchedule::derive(source, false).steps().map(rule).collect()
}

/// A session's rules, and those of a second connection where there can be one.
fn smb(dialect: Dialect, cipher: Option<Cipher>) -> Vec<Rule> {
    let hash = PreauthIntegrityHash::default();
    let schedule = |establishment| {
        SmbKeySchedule::derive(SmbDerivation {
            dialect,
            signing_algorithm: SigningAlgorithm::AesCmac,
            cipher,
            source: SessionKeySource::Account(SessionKey::new([0; 16])),
            preauth_integrity_hash: Some(&hash),
            establishment,
        })
    };
    let mut rules: Vec<Rule> = schedule(Establishment::NewSession).steps().map(rule).collect();
    if dialect >= Dialect::Smb300 {
        let channel = schedule(Establishment::Binding).step(KeyName::ChannelSigningKey);
        rules.extend(channel.map(rule));
    }
    rules
}

fn rule(step: Step) -> Rule {
    step.rule
}
