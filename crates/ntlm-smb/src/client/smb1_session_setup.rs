//! SESSION_SETUP_ANDX of SMB1, with extended security and without (MS-CIFS 3.2.4.2.4, MS-SMB
//! 3.2.4.2.4, 3.2.5.3).

use super::error::{ClientError, PeerError, Unavailable};
use super::session::Logon;
use super::smb1::{
    Signing, Smb1Connection, Smb1Pending, Smb1Request, Smb1Session, refused, response,
};
use crate::error::TooLong;
use crate::keys::{Smb1KeySchedule, Smb1KeySource};
use crate::signature_rule::Identity;
use crate::smb1::{
    Action, BareMessage, Credentials, SequenceNumbers, SequenceRule, SessionSetupResponse, Signer,
};
use crate::wire::Part;
use alloc::boxed::Box;
use alloc::vec::Vec;
use core::fmt;
use ntlm::flags::NegotiateFlags;
use ntlm::keys::{
    ComputedResponses, Derivation, ExportedSessionKey, KeyExchange, KeySchedule, KeySource,
    NtlmVersion, ResponseInputs, ResponseRule,
};
use ntlm::message::{AvId, Ntlmv2ClientChallenge, TargetInfo, TargetInfoBuilder};
use ntlm::policy::{ChallengeTraits, ClientSends, Relaxation};
use ntlm::text::Utf16String;
use ntlm::{Credential, Fresh, NtStatus};
use ntlm_spnego::{Initiator, InitiatorConfig, InitiatorStep, MechListMic};

/// A SESSION_SETUP_ANDX that waits for a response.
#[derive(Debug)]
pub struct Smb1SessionSetup {
    pending: Smb1Pending,
    /// `None` without extended security.
    initiator: Option<Initiator>,
    proved: Option<Proved>,
}

#[derive(Debug)]
struct Proved {
    logon: Logon,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Exported(ExportedSessionKey),
    Bare(Box<Bare>),
    Nobody,
}

/// The responses of a logon without extended security, and the keys that they lead to.
struct Bare {
    rule: ResponseRule,
    lm_response: Vec<u8>,
    nt_response: Vec<u8>,
    keys: KeySchedule,
}

/// Without the responses: whoever has them can guess at the password.
impl fmt::Debug for Bare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bare").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// What comes next.
#[derive(Debug)]
pub enum Smb1SetupStep {
    /// The response is still to come.
    NotYet(Smb1SessionSetup),
    /// Now somebody has to prove who he is.
    Respond(Box<Smb1Responding>),
    /// The request goes to the server.
    Continue(Smb1Request, Smb1SessionSetup),
    /// The session stands; the connection has it.
    Done,
}

impl Smb1SessionSetup {
    /// Begins.
    ///
    /// # Errors
    ///
    /// A part is too long.
    pub fn start(connection: &mut Smb1Connection) -> Result<Smb1SetupStep, ClientError> {
        if !connection.negotiated.extended_security {
            return Ok(Smb1SetupStep::Respond(Box::new(Smb1Responding { extended: None })));
        }
        let client = connection.config.ntlm.clone();
        let config = InitiatorConfig { client, ..InitiatorConfig::default() };
        let (token, initiator) = Initiator::start(config);
        Self::send(connection, &token, initiator, None)
    }

    fn send(
        connection: &mut Smb1Connection,
        token: &[u8],
        initiator: Initiator,
        proved: Option<Proved>,
    ) -> Result<Smb1SetupStep, ClientError> {
        let security_blob = Part::new(token);
        let request = connection.setup_request(Credentials::ExtendedSecurity { security_blob })?;
        let setup = Self { pending: request.pending, initiator: Some(initiator), proved };
        Ok(Smb1SetupStep::Continue(request, setup))
    }

    /// Takes a response.
    ///
    /// # Errors
    ///
    /// The server refuses, or did what it may not.
    pub fn receive(
        self,
        connection: &mut Smb1Connection,
        message: &[u8],
    ) -> Result<Smb1SetupStep, ClientError> {
        let Some(header) = response(&self.pending, message)? else {
            return Ok(Smb1SetupStep::NotYet(self));
        };
        let more = NtStatus::MORE_PROCESSING_REQUIRED;
        if header.status != 0 && (NtStatus(header.status) != more || self.initiator.is_none()) {
            BareMessage::decode(message)?;
            return Err(refused(&header));
        }
        let setup = SessionSetupResponse::decode(message)?;
        if header.uid == 0 || (connection.uid != 0 && connection.uid != header.uid) {
            return Err(PeerError::InvalidId.into());
        }
        connection.uid = header.uid;
        let token = setup.security_blob.unwrap_or_default();
        if header.status == 0 {
            self.done(connection, &setup, token.bytes(), message)?;
            return Ok(Smb1SetupStep::Done);
        }
        let initiator = self.initiator.ok_or(PeerError::EndedEarly)?;
        match initiator.step(token.bytes())? {
            InitiatorStep::Respond(responding) => {
                let responding = Smb1Responding { extended: Some(responding) };
                Ok(Smb1SetupStep::Respond(Box::new(responding)))
            }
            InitiatorStep::Continue(token, initiator) => {
                Self::send(connection, &token, initiator, self.proved)
            }
            InitiatorStep::Done(_) | InitiatorStep::Foreign { .. } => {
                Err(PeerError::EndedEarly.into())
            }
        }
    }

    fn done(
        self,
        connection: &mut Smb1Connection,
        setup: &SessionSetupResponse<'_>,
        token: &[u8],
        message: &[u8],
    ) -> Result<(), ClientError> {
        let Proved { mut logon, source } = self.proved.ok_or(PeerError::EndedEarly)?;
        let config = &connection.config;
        if setup.action.contains(Action::GUEST) && logon.identity == Identity::Account {
            if !config.insecure_allow_guest || config.require_signing {
                return Err(PeerError::NotTheAccount.into());
            }
            logon.identity = Identity::Guest;
            logon.relaxed.push(Relaxation::Guest);
        }
        if logon.identity != Identity::Account && config.require_signing {
            return Err(Unavailable::Signing.into());
        }
        if let Some(initiator) = self.initiator
            && logon.identity != Identity::Guest
        {
            let initiated = if token.is_empty() {
                initiator.finish_without_token()?
            } else {
                match initiator.step(token)? {
                    InitiatorStep::Done(initiated) => initiated,
                    _ => return Err(PeerError::EndedEarly.into()),
                }
            };
            logon.mech_list_mic = initiated.mech_list_mic;
        }
        let keys = match (&source, logon.identity) {
            (_, Identity::Guest) => Smb1KeySchedule::derive(&Smb1KeySource::Guest, false),
            (Source::Nobody, _) | (_, Identity::Anonymous) => {
                Smb1KeySchedule::derive(&Smb1KeySource::Anonymous, false)
            }
            (Source::Exported(key), _) => {
                Smb1KeySchedule::derive(&Smb1KeySource::ExtendedSecurity(key), false)
            }
            (Source::Bare(bare), _) => {
                let session_base_key = bare.keys.session_base_key();
                let session_base_key = session_base_key.ok_or(PeerError::EndedEarly)?;
                let source = Smb1KeySource::Responses {
                    version: bare.keys.version(),
                    session_base_key,
                    lm_response: &bare.lm_response,
                    nt_response: &bare.nt_response,
                };
                Smb1KeySchedule::derive(&source, false)
            }
        };
        if let Some(mac_key) = keys.mac_key()
            && connection.signs()
        {
            let signer = Signer::new(mac_key);
            let number = SequenceRule::ACTIVATING_RESPONSE;
            signer.verify(message, number).map_err(PeerError::Signature)?;
            connection.signing = Some(Signing { signer, numbers: SequenceNumbers::activated() });
        }
        connection.session = Some(Smb1Session { logon, keys });
        Ok(())
    }
}

/// A session setup that waits for somebody to prove who he is.
#[derive(Debug)]
pub struct Smb1Responding {
    /// With the CHALLENGE of NTLM, or with the server's nonce of NEGOTIATE.
    extended: Option<ntlm_spnego::Responding>,
}

/// An answer that is ready to be sent.
#[derive(Debug)]
pub struct Smb1Answer(AnswerForm);

#[derive(Debug)]
enum AnswerForm {
    Extended(ntlm_spnego::Answer),
    Bare { user: Utf16String, domain: Utf16String, proof: Option<Box<Bare>> },
}

impl Smb1Responding {
    /// Answers with a proof.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond(
        self,
        connection: &Smb1Connection,
        credential: &Credential,
        fresh: Fresh,
    ) -> Result<Smb1Answer, ClientError> {
        Ok(Smb1Answer(match self.extended {
            Some(responding) => AnswerForm::Extended(responding.respond(credential, fresh)?),
            None => {
                let (user, domain) = credential.name.fields();
                let proof = Some(Box::new(bare(connection, credential, fresh)?));
                AnswerForm::Bare { user, domain, proof }
            }
        }))
    }

    /// Answers without one.
    ///
    /// # Errors
    ///
    /// The CHALLENGE is not to be answered.
    pub fn respond_anonymously(self, fresh: Fresh) -> Result<Smb1Answer, ClientError> {
        Ok(Smb1Answer(match self.extended {
            Some(responding) => AnswerForm::Extended(responding.respond_anonymously(fresh)?),
            None => {
                let (user, domain) = Default::default();
                AnswerForm::Bare { user, domain, proof: None }
            }
        }))
    }
}

impl Smb1Answer {
    /// The request goes to the server.
    ///
    /// # Errors
    ///
    /// The CHALLENGE did not grant what SPNEGO needs, or a part is too long.
    pub fn send(
        self,
        connection: &mut Smb1Connection,
    ) -> Result<(Smb1Request, Smb1SessionSetup), ClientError> {
        let keep_keys = connection.config.keep_keys;
        match self.0 {
            AnswerForm::Extended(answer) => {
                let proved = match answer.established() {
                    Some(established) => Proved {
                        logon: Logon {
                            has_mic: established.has_mic(),
                            ..logon_of(established.keys(), established.relaxed(), keep_keys)
                        },
                        source: Source::Exported(
                            established.keys().exported_session_key().duplicate(),
                        ),
                    },
                    None => Proved { logon: nobody(), source: Source::Nobody },
                };
                let (token, initiator) = answer.send()?;
                let credentials =
                    Credentials::ExtendedSecurity { security_blob: Part::new(&token) };
                let request = connection.setup_request(credentials)?;
                let (initiator, proved) = (Some(initiator), Some(proved));
                let setup = Smb1SessionSetup { pending: request.pending, initiator, proved };
                Ok((request, setup))
            }
            AnswerForm::Bare { user, domain, proof } => {
                let (user, domain) = (user.to_le_bytes(), domain.to_le_bytes());
                let (lm, nt): (&[u8], &[u8]) = proof
                    .as_ref()
                    .map_or((&[], &[]), |bare| (&bare.lm_response, &bare.nt_response));
                let request = connection.setup_request(Credentials::Responses {
                    oem_password: Part::new(lm),
                    unicode_password: Part::new(nt),
                    account_name: Part::new(&user),
                    primary_domain: Part::new(&domain),
                })?;
                let proved = match proof {
                    Some(bare) => {
                        let relaxed: &[Relaxation] = match bare.rule {
                            ResponseRule::Ntlmv1 | ResponseRule::Ntlmv1Ess => &[Relaxation::Ntlmv1],
                            ResponseRule::Ntlmv1AndLm => &[Relaxation::Ntlmv1, Relaxation::Lm],
                            _ => &[],
                        };
                        let logon = logon_of(&bare.keys, relaxed, keep_keys);
                        Proved { logon, source: Source::Bare(bare) }
                    }
                    None => Proved { logon: nobody(), source: Source::Nobody },
                };
                let proved = Some(proved);
                let setup = Smb1SessionSetup { pending: request.pending, initiator: None, proved };
                Ok((request, setup))
            }
        }
    }
}

fn logon_of(keys: &KeySchedule, relaxed: &[Relaxation], keep_keys: bool) -> Logon {
    Logon {
        identity: Identity::Account,
        version: keys.version(),
        relaxed: relaxed.to_vec(),
        has_mic: false,
        mech_list_mic: MechListMic::Absent,
        steps: if keep_keys { keys.steps().collect() } else { Vec::new() },
    }
}

fn nobody() -> Logon {
    Logon {
        identity: Identity::Anonymous,
        version: NtlmVersion::Anonymous,
        relaxed: alloc::vec![Relaxation::Anonymous],
        has_mic: false,
        mech_list_mic: MechListMic::Absent,
        steps: Vec::new(),
    }
}

/// Responses to the nonce of NEGOTIATE, by the policy's rule for a CHALLENGE that grants nothing.
fn bare(
    connection: &Smb1Connection,
    credential: &Credential,
    fresh: Fresh,
) -> Result<Bare, ClientError> {
    let policy = &connection.config.ntlm.policy;
    if policy.blocks(connection.config.ntlm.target_name.as_ref()) {
        return Err(ClientError::Ntlm(ntlm::Misuse::Blocked.into()));
    }
    let rule = policy.response_rule(ChallengeTraits::default());
    let (user, domain) = credential.name.fields();
    let temp = if policy.sends == ClientSends::Ntlmv2 {
        // There is no TargetInfo to send back: the name of NEGOTIATE stands in.
        let list = TargetInfoBuilder::new()
            .text(AvId::NB_DOMAIN_NAME, &connection.negotiated.domain_name)
            .finish()
            .map_err(|_| TooLong { field: "AvPairs" })?;
        Ntlmv2ClientChallenge::encode(fresh.now, fresh.nonce, TargetInfo::new(&list))
    } else {
        Vec::new()
    };
    let server_challenge = connection.negotiated.server_challenge;
    let ComputedResponses { lm: lm_response, nt: nt_response, proof } = rule.compute(
        &credential.secret,
        &ResponseInputs {
            server_challenge,
            client_challenge: fresh.nonce,
            user: user.as_units(),
            domain: domain.as_units(),
            temp: &temp,
        },
    );
    // No NTLM messages, so no flags: nothing is exchanged, and SessionBaseKey is the key.
    let negotiate_flags = NegotiateFlags::empty();
    let keys = KeySchedule::derive(Derivation {
        negotiate_flags,
        server_challenge,
        lm_challenge_response: &lm_response,
        source: KeySource::Proof(proof),
        key_exchange: KeyExchange::drawn(negotiate_flags, fresh.random_session_key),
    });
    Ok(Bare { rule, lm_response, nt_response, keys })
}
